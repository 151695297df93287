"""What an MLflow store holds of an experiment, by whatever way it got there; looks only, and creates nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graft.journal.journal import scan
from graft.tracking.audit import AuditResult, Expected, Found, compare, experiment_key
from graft.tracking.mlflow.filters import tag_is
from graft.tracking.mlflow.store import EXPERIMENT_KEY_TAG, KEY_TAG, open_client, tracking_errors
from graft.tracking.mlflow.writer import stored_name
from graft.tracking.target import Target, run_key

_PAGE = 1000


def audit_store(target: Target, journal: Path) -> tuple[Expected, AuditResult]:
    """Hold the store against a journal.

    The store is looked at first: of an experiment that still runs it then holds too little at worst, never too much.

    Raises:
        TrackingError: the store does not answer, or cannot be used.
        ArtifactError: there is no journal.
    """
    key = experiment_key(scan(journal))
    found = [] if key is None else find_runs(target, key)
    expected = Expected.of(scan(journal))
    return expected, compare(expected, found, stored_name)


def find_runs(target: Target, key: str) -> list[Found]:
    """The runs of the experiment with this key, with all points of their metrics; runs that were deleted do not count.

    Every point is asked for, metric by metric: MLflow has no call that gives all of a run.

    Raises:
        TrackingError: the store does not answer, or cannot be used.
    """
    if target.is_unmade:
        return []
    with tracking_errors(target):
        client = open_client(target)
        return [_found(client, run) for run in _search(client, target, run_key(key))]


def _search(client: Any, target: Target, key: str) -> Iterator[Any]:
    experiment = client.get_experiment_by_name(target.experiment)
    if experiment is None:
        return
    token = None
    while True:
        page = client.search_runs(
            [experiment.experiment_id],
            tag_is(EXPERIMENT_KEY_TAG, key),
            max_results=_PAGE,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _found(client: Any, run: Any) -> Found:
    points = {
        name: [(point.step, point.timestamp) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    return Found(run.data.tags.get(KEY_TAG, ""), points)

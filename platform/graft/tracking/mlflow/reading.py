"""All runs of a store that have ended, with the curves of the metrics that are wanted; looks only."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graft.tracking.mlflow.logged import LoggedRun, Point
from graft.tracking.mlflow.store import open_client, tracking_errors
from graft.tracking.target import Target

_PAGE = 500
_PARENT = "mlflow.parentRunId"
_ENDED = ("FINISHED", "FAILED", "KILLED")
_NOT_RUNNING = "attributes.status != 'RUNNING'"


def ended_runs(target: Target, is_wanted: Callable[[str], bool], experiments: tuple[str, ...] = ()) -> list[LoggedRun]:
    """The runs of a store, of all its experiments or of some.

    Args:
        target: the store; its experiment does not matter.
        is_wanted: whether the curve of a metric of this name is asked for; of other metrics nothing is.
        experiments: names; all if empty.

    Raises:
        TrackingError: the store does not answer, or cannot be used.
    """
    if target.is_unmade:
        return []
    with tracking_errors(target):
        client = open_client(target)
        found: list[LoggedRun] = []
        for experiment in client.search_experiments():
            if not experiments or experiment.name in experiments:
                found += _of_experiment(client, experiment, is_wanted)
        return found


def _of_experiment(client: Any, experiment: Any, is_wanted: Callable[[str], bool]) -> Iterator[LoggedRun]:
    parents: dict[str, Mapping[str, str]] = {}
    for run in _pages(client, experiment.experiment_id):
        names = [name for name in run.data.metrics if is_wanted(name)]
        if not names and run.info.status != "FAILED":
            continue
        parent = run.data.tags.get(_PARENT)
        if parent is not None and parent not in parents:
            parents[parent] = dict(client.get_run(parent).data.tags)
        yield LoggedRun(
            run_id=str(run.info.run_id),
            experiment=str(experiment.name),
            user=str(run.data.tags.get("mlflow.user", run.info.user_id or "")),
            status=str(run.info.status),
            start=(run.info.start_time or 0) / 1000,
            params=dict(run.data.params),
            tags=dict(run.data.tags),
            parent_tags=parents.get(parent, {}) if parent else {},
            curves={name: _curve(client, run.info.run_id, name) for name in names},
        )


def _curve(client: Any, run_id: str, name: str) -> tuple[Point, ...]:
    history = client.get_metric_history(run_id, name)
    points = [Point(int(one.step), float(one.value), one.timestamp / 1000) for one in history]
    return tuple(sorted(points, key=lambda one: (one.step, one.time)))


def _pages(client: Any, experiment_id: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment_id], _NOT_RUNNING, max_results=_PAGE, page_token=token)
        yield from (run for run in page if run.info.status in _ENDED)
        token = page.token
        if not token:
            return

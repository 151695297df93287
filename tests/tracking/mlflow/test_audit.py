import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from graft.core.errors import TrackingError
from graft.journal.journal import journal_path
from graft.tracking.audit import AuditResult
from graft.tracking.mlflow.audit import audit_store, find_runs
from graft.tracking.mlflow.shipping import Shipper
from graft.tracking.mlflow.store import KEY_TAG, MlflowClient, open_store
from graft.tracking.target import Target, run_key

Tell = Callable[..., None]


@pytest.fixture
def shipped(experiment_dir: Path, target: Target, told: Tell) -> Path:
    """The journal of a whole experiment, which is in the store."""
    told()
    Shipper(experiment_dir, target).ship()
    return journal_path(experiment_dir)


def audit_of(target: Target, journal: Path) -> AuditResult:
    return audit_store(target, journal)[1]


def run_id(target: Target, journal: Path, trial: str) -> str:
    (found,) = open_store(target).find_runs(run_key(str(journal.parent), trial))
    return found


def test_what_was_shipped_is_all_there_and_nothing_twice(shipped: Path, target: Target) -> None:
    expected, audit = audit_store(target, shipped)
    assert (audit.lost, audit.doubled) == (0, 0)
    assert audit.runs_found == audit.runs_expected == 5
    assert audit.metrics_found == audit.metrics_expected == expected.metrics > 0


def test_shipping_again_doubles_nothing(shipped: Path, target: Target, experiment_dir: Path) -> None:
    again = Shipper(experiment_dir, target)
    again.restart()
    again.ship()
    audit = audit_of(target, shipped)
    assert (audit.lost, audit.doubled) == (0, 0)


def test_a_deleted_run_is_lost_with_its_points(shipped: Path, target: Target) -> None:
    before = audit_of(target, shipped)
    MlflowClient(target.uri).delete_run(run_id(target, shipped, "t00"))
    audit = audit_of(target, shipped)
    assert audit.runs_found == 4
    assert audit.lost == 1 + before.metrics_found - audit.metrics_found > 1


def test_a_point_sent_again_at_another_time_is_doubled(shipped: Path, target: Target) -> None:
    MlflowClient(target.uri).log_metric(run_id(target, shipped, "t00"), "val/accuracy", 0.91, timestamp=1, step=1)
    audit = audit_of(target, shipped)
    assert (audit.lost, audit.doubled) == (0, 1)


def test_a_second_run_with_the_same_key_is_doubled(shipped: Path, target: Target) -> None:
    client = MlflowClient(target.uri)
    first = client.get_run(run_id(target, shipped, "t01"))
    tags = {name: value for name, value in first.data.tags.items() if name.startswith("graft.")}
    client.create_run(first.info.experiment_id, tags=tags)
    audit = audit_of(target, shipped)
    assert (audit.runs_found, audit.lost, audit.doubled) == (6, 0, 1)


def test_runs_of_others_do_not_count(shipped: Path, target: Target) -> None:
    client = MlflowClient(target.uri)
    experiment = client.get_experiment_by_name(target.experiment)
    assert experiment is not None
    client.create_run(experiment.experiment_id, tags={KEY_TAG: "x"})
    assert audit_of(target, shipped).runs_found == 5


def test_more_runs_than_a_page_are_all_found(shipped: Path, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graft.tracking.mlflow.audit._PAGE", 2)
    assert len(find_runs(target, str(shipped.parent))) == 5


def test_looking_creates_nothing(tmp_path: Path, target: Target, store_root: Path) -> None:
    absent = Target(f"sqlite:///{tmp_path / 'none.db'}", "x")
    assert find_runs(absent, "key") == []
    assert not (tmp_path / "none.db").exists()
    open_store(target)
    assert find_runs(replace(target, experiment="never-seen"), "key") == []
    assert MlflowClient(target.uri).get_experiment_by_name("never-seen") is None


def test_a_journal_that_has_not_begun_asks_for_nothing(experiment_dir: Path, target: Target, told: Tell) -> None:
    told(0)
    assert audit_of(target, journal_path(experiment_dir)) == AuditResult(0, 0, 0, 0, 0, 0)


def test_a_server_that_does_not_answer_is_an_error(
    experiment_dir: Path, told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    told()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="does not answer"):
        audit_of(Target("http://127.0.0.1:9", "x"), journal_path(experiment_dir))


def test_a_journal_whose_store_was_removed_has_lost_all(shipped: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(shipped.parent, elsewhere)
    audit = audit_of(Target(f"sqlite:///{tmp_path / 'gone.db'}", "x"), journal_path(elsewhere))
    assert (audit.runs_found, audit.lost) == (0, audit.runs_expected + audit.metrics_expected)

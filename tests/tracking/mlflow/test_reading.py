import pytest

from graft.core.errors import TrackingError
from graft.tracking.mlflow.reading import ended_runs
from graft.tracking.mlflow.store import open_client
from graft.tracking.target import Target


def wanted(name):
    return name.startswith("val")


def test_runs_of_anybody_are_read_with_their_curves(target):
    client = open_client(target)
    name = f"theirs-{target.experiment}"
    experiment = client.create_experiment(name)
    parent = client.create_run(experiment, tags={"graft.fingerprint": "f0"})
    child = client.create_run(experiment, tags={"mlflow.parentRunId": parent.info.run_id, "mlflow.user": "ada"})
    client.log_param(child.info.run_id, "backbone", "b")
    for step, value in [(2, 0.7), (1, 0.5)]:
        client.log_metric(child.info.run_id, "val_accuracy", value, step=step, timestamp=step * 1000)
    client.log_metric(child.info.run_id, "lr", 0.1)
    going_on = client.create_run(experiment)
    client.log_metric(going_on.info.run_id, "val_accuracy", 0.9)
    for one in (parent, child):
        client.set_terminated(one.info.run_id)
    (found,) = ended_runs(Target(target.uri, ""), wanted, (name,))
    assert [(one.step, one.value, one.time) for one in found.curves["val_accuracy"]] == [(1, 0.5, 1.0), (2, 0.7, 2.0)]
    assert set(found.curves) == {"val_accuracy"}
    assert (found.user, found.params, found.status) == ("ada", {"backbone": "b"}, "FINISHED")
    assert found.parent_tags["graft.fingerprint"] == "f0"
    assert len([one for one in ended_runs(Target(target.uri, ""), wanted) if one.experiment == name]) == 1


def test_a_store_that_is_not_there_has_no_runs_and_is_not_made(tmp_path):
    assert ended_runs(Target(f"sqlite:///{tmp_path / 'none.db'}", ""), wanted) == []
    assert not (tmp_path / "none.db").exists()


def test_a_store_that_does_not_answer_is_told_in_a_line(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError) as caught:
        ended_runs(Target("http://127.0.0.1:9", ""), wanted)
    assert "\n" not in str(caught.value)

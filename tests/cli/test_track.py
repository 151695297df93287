import pytest

from graft.core.errors import TrackingError


@pytest.fixture
def synced(monkeypatch):
    """Replaces the shipping: what it does is tested in tests/tracking."""
    asked: list[object] = []

    def install(error: Exception | None = None) -> list[object]:
        def sync(directory, target):
            asked.append((directory, target.uri, target.experiment))
            if error is not None:
                raise error

        monkeypatch.setattr("graft.pipeline.tracking.sync", sync)
        return asked

    return install


def test_sync_ships_an_experiment_to_the_store_of_its_home(graft, synced, make_experiment, home):
    asked = synced()
    experiment = make_experiment([])
    done = graft("track", "sync", "digits")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"{experiment.name} is complete in MLflow\n"
    assert asked == [(experiment.directory, f"sqlite:///{home}/mlflow.db", "digits")]


def test_sync_ships_to_the_store_that_the_job_names(graft, synced, make_experiment):
    asked = synced()
    make_experiment([], tracking={"uri": "http://tracking:5000", "experiment": "shared"})
    graft("track", "sync")
    assert asked[0][1:] == ("http://tracking:5000", "shared")


def test_a_store_that_does_not_answer_is_one_line(graft, synced, make_experiment):
    synced(TrackingError("the store does not answer"))
    make_experiment([])
    done = graft("track", "sync")
    assert (done.exit_code, done.out, done.err) == (1, "", "graft: the store does not answer\n")


def test_sync_of_nothing_says_how_to_start(graft, synced, home):
    asked = synced()
    done = graft("track", "sync")
    assert (done.exit_code, asked) == (2, [])
    assert "start one with `graft run`" in done.err

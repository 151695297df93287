import pytest

from graft.core.errors import TrackingError
from graft.journal.journal import read
from graft.tracking.relay_files import Cursor, RelayFiles
from graft.tracking.target import Target


@pytest.fixture
def synced(monkeypatch):
    """Replaces the shipping: what it does is tested in tests/tracking."""
    asked: list[object] = []

    def install(error: Exception | None = None) -> list[object]:
        def sync(directory, target, restart):
            asked.append((directory, target.uri, target.experiment, restart))
            if error is not None:
                raise error

        monkeypatch.setattr("graft.pipeline.publishing.sync", sync)
        return asked

    return install


def test_sync_ships_an_experiment_to_the_store_of_its_home(graft, synced, make_experiment, home):
    asked = synced()
    experiment = make_experiment([])
    done = graft("track", "sync", "digits")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"{experiment.name} is complete in MLflow\n"
    assert asked == [(experiment.directory, f"sqlite:///{home}/mlflow.db", "digits", False)]


def test_sync_ships_to_the_store_that_the_job_names(graft, synced, make_experiment):
    asked = synced()
    make_experiment([], tracking={"uri": "http://tracking:5000", "experiment": "shared"})
    graft("track", "sync")
    assert asked[0][1:3] == ("http://tracking:5000", "shared")


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


def test_restart_sends_everything_anew(graft, synced, make_experiment):
    asked = synced()
    make_experiment([])
    assert graft("track", "sync", "--restart").exit_code == 0
    assert asked[0][-1] is True


def cursor_at(experiment, offset, home):
    target = Target(f"sqlite:///{home}/mlflow.db", "digits", home / "mlartifacts")
    Cursor(RelayFiles(experiment.directory).cursor, target).move(offset)


def test_json_says_that_nothing_is_pending(graft, synced, make_experiment, story, home):
    synced()
    experiment = make_experiment(story)
    cursor_at(experiment, experiment.journal_file.stat().st_size, home)
    done = graft("track", "sync", "--json")
    assert (done.exit_code, done.json) == (0, {"pending": 0})


def test_json_says_how_many_records_are_pending_when_the_store_is_down(graft, synced, make_experiment, story, home):
    synced(TrackingError("the store does not answer"))
    experiment = make_experiment(story)
    offsets = [offset for offset, _ in read(experiment.journal_file)]
    cursor_at(experiment, offsets[-3], home)
    done = graft("track", "sync", "--json")
    assert (done.exit_code, done.json) == (1, {"pending": 2})
    assert done.err == "graft: the store does not answer\n"


def test_a_store_that_was_never_reached_lacks_every_record(graft, synced, make_experiment, story):
    synced(TrackingError("the store does not answer"))
    make_experiment(story)
    assert graft("track", "sync", "--json").json == {"pending": len(story)}

from pathlib import Path

import pytest

from graft.core.errors import ResourceError, TrackingError
from graft.core.storage import Home, write_text
from graft.experiments.directory import Experiment
from graft.experiments.task_memory.synchronise import (
    MARK_FILE,
    TASK_FILE,
    note_task,
    remember,
    synchronise,
    synchronise_runs,
)
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.journal.journal import Journal
from graft.meta.memory.place import LocalPlace
from graft.meta.memory.records import Scores, TaskEntry, TrialState
from graft.meta.memory.store import MemoryStore
from graft.meta.memory.trust import Reader
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.tracking.target import run_key

READER = Reader(now=100.0)
E1, E2 = run_key("e1"), run_key("e2")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def store(home: Home) -> MemoryStore:
    return MemoryStore(LocalPlace(home.memory))


def records(store):
    return [(one.trial, one.epoch, str(one.state)) for one in store.contents().memory(READER).records()]


def tell(experiment, *happened):
    with Journal(experiment.journal_file) as journal:
        for event in happened:
            journal.append(event)


def trial(name="t01", values=(0.5, 0.6), status=TrialStatus.COMPLETED):
    plain = Strategy().model_dump(mode="json")
    reports = [events.TrialReported(name, epoch, {"val/accuracy": one}, 1.0) for epoch, one in enumerate(values, 1)]
    end = [] if status is None else [events.TrialFinished(name, status)]
    return [events.TrialStarted(name, plain, "", epochs=2), *reports, *end]


@pytest.fixture
def make(home):
    def experiment(*happened, name="e1", **job):
        parsed = parse_job({"name": "digits", "data": "digits", "task": "classification", **job})
        made = Experiment.create(home, parsed, name)
        begun = events.ExperimentStarted(name, name, parsed.model_dump(mode="json"))
        ready = events.DatasetReady("f0", "digits", {"train": 9}, task="classification", modality="image")
        tell(made, begun, ready, *happened)
        return made

    return experiment


def test_an_experiment_is_remembered_once(make, home, store):
    make(*trial())
    done = synchronise(home, store)
    assert (done.experiments, done.trials, done.records) == (1, 1, 2)
    assert records(store) == [(f"{E1}/t01", 1, "finished"), (f"{E1}/t01", 2, "finished")]
    assert synchronise(home, store).records == 0
    assert synchronise(home, store, anew=True).records == 0
    assert len(records(store)) == 2


def test_what_brings_nothing_is_told_with_its_reason(make, home, store):
    make()
    make(*trial(), name="e2")
    done = synchronise(home, store)
    assert [str(one) for one in done.passed_over] == ["no trial has a result: 1 (e1)"]


def test_parts_that_are_left_out_are_told(make, home, store):
    make(*trial())
    synchronise(home, store)
    make(*trial(), name="e2")
    (part,) = (home.memory / "tasks").glob("*.parquet")
    part.write_bytes(b"rubbish")
    (line,) = synchronise(home, store).damaged
    assert line.startswith(f"tasks/{part.name} is left out: it ")


def test_what_comes_later_is_added(make, home, store):
    experiment = make(*trial(status=None))
    synchronise(home, store)
    assert records(store) == [(f"{E1}/t01", 1, "stopped"), (f"{E1}/t01", 2, "stopped")]
    tell(experiment, events.TrialFinished("t01", TrialStatus.COMPLETED), *trial("t02", (0.7,)))
    synchronise(home, store)
    assert records(store) == [(f"{E1}/t01", 1, "finished"), (f"{E1}/t01", 2, "finished"), (f"{E1}/t02", 1, "finished")]


def test_of_a_run_that_goes_on_ended_trials_are_remembered(make, home, store):
    experiment = make(*trial(), *trial("t02", status=None))
    with Journal(experiment.journal_file):
        synchronise(home, store)
        assert {one[0] for one in records(store)} == {f"{E1}/t01"}
        assert not (experiment.directory / MARK_FILE).exists()
    synchronise(home, store)
    assert {one[0] for one in records(store)} == {f"{E1}/t01", f"{E1}/t02"}


def test_a_job_can_be_kept_out(make, home, store):
    make(*trial(), memory={"keep": False})
    make(*trial(), name="e2")
    done = synchronise(home, store)
    assert (done.experiments, done.kept_out) == (1, 1)
    assert {one[0] for one in records(store)} == {f"{E2}/t01"}


def test_the_environment_can_keep_a_run_out(make, home, store, monkeypatch):
    monkeypatch.setenv("GRAFT_MEMORY", "off")
    remember(make(*trial()), home)
    assert not home.memory.exists()


def test_a_damaged_experiment_is_told_in_a_line_and_the_others_are_read(make, home, store):
    broken, old = make(*trial()), make(*trial(), name="e2")
    write_text(broken.journal_file, "rubbish\n" + broken.journal_file.read_text())
    write_text(old.job_file, "version: 99\n")
    make(*trial(), name="e3")
    done = synchronise(home, store)
    assert done.experiments == 1
    assert sorted(line.partition(":")[0] for line in done.problems) == ["e1", "e2"]
    assert not any("\n" in line for line in done.problems)


def test_a_forgotten_task_does_not_come_back(make, home, store):
    make(*trial())
    synchronise(home, store)
    (task,) = {one.task for one in store.contents().memory(READER).tasks()}
    store.forget(task)
    synchronise(home, store, anew=True)
    assert records(store) == []


def test_what_a_run_has_noted_of_its_task_comes_along(make, home, store):
    experiment = make(*trial())
    noted = TaskEntry("other", "image", "classification", 1, 1, {"rows": 2.5}, (1.0, 2.0), "1:x")
    note_task(experiment, noted, [Scores("other", "m", "logme", 0.5)])
    synchronise(home, store)
    memory = store.contents().memory(READER)
    (entry,), (score,) = memory.tasks(), memory.scores()
    assert (entry.embedding, entry.embedding_version, entry.meta_features) == ((1.0, 2.0), "1:x", {"rows": 2.5})
    assert (entry.rows, entry.title) == (9, "digits")
    assert (score.task, score.value) == (entry.task, 0.5)


def test_a_damaged_note_is_told(make, home, store):
    experiment = make(*trial())
    write_text(experiment.directory / TASK_FILE, "[]")
    (line,) = synchronise(home, store).problems
    assert "task.json is damaged" in line


def test_a_memory_that_fails_ends_no_run(make, home, monkeypatch, caplog):
    (home.root / "file").write_text("")
    monkeypatch.setenv("GRAFT_MEMORY", str(home.root / "file"))
    remember(make(*trial()), home)
    assert "e1 is not in the task memory" in caplog.text
    with pytest.raises(ResourceError):
        synchronise(home, MemoryStore(LocalPlace(home.root / "file")))


def test_an_interrupted_trial_is_one_that_was_stopped(make, home, store):
    make(*trial(status=TrialStatus.INTERRUPTED))
    synchronise(home, store)
    assert {one.state for one in store.contents().memory(READER).records()} == {TrialState.STOPPED}


def test_a_store_that_is_not_there_is_told(store, tmp_path):
    with pytest.raises(TrackingError, match=r"there is no MLflow store at sqlite:.*none.db; correct its address"):
        synchronise_runs(f"sqlite:///{tmp_path}/none.db", store)

"""Fills the task memory from the journals of a home: after each run, and whatever earlier runs have left undone.

An experiment that is remembered up to its last record is marked so, and not read again. Reading it again would change
nothing: a trial is known by its name.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from graft.core.credentials import without_login
from graft.core.errors import ArtifactError, GraftError, ResourceError, TrackingError
from graft.core.storage import Home, read_json, write_json
from graft.data.overview import Ignored, Tally
from graft.experiments.directory import Experiment
from graft.journal.journal import is_being_written, read
from graft.meta.memory.from_journal import Remembered, records_of
from graft.meta.memory.from_mlflow import is_wanted, records_of_runs
from graft.meta.memory.records import HeldMemory, Scores, TaskEntry
from graft.meta.memory.store import MemoryStore
from graft.meta.memory.unknown import not_yet_known
from graft.tracking.target import Target

_LOG = logging.getLogger(__name__)
TASK_FILE, MARK_FILE = "task.json", "remembered.json"


@dataclass(frozen=True)
class Synchronised:
    """What a synchronisation has done.

    Attributes:
        experiments: that had something new.
        trials: of which there was a new record.
        records: that are new.
        kept_out: experiments whose job says so.
        problems: experiments that could not be read, a line each.
        damaged: parts of the memory that are left out, a line each.
        passed_over: experiments, or runs of a store, that brought nothing, by reason.
    """

    experiments: int = 0
    trials: int = 0
    records: int = 0
    kept_out: int = 0
    problems: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    passed_over: tuple[Ignored, ...] = ()


def synchronise(home: Home, store: MemoryStore, names: Sequence[str] | None = None, anew: bool = False) -> Synchronised:
    """Bring what the experiments of a home have found into the memory.

    Args:
        home: whose experiments.
        store: the memory.
        names: of the experiments; all if None.
        anew: also those that are marked as remembered.

    Raises:
        ResourceError: the memory cannot be read or written.
    """
    done = Synchronised()
    due = [Experiment(home.experiments / name) for name in (Experiment.names(home) if names is None else names)]
    due, silent = [one for one in due if anew or not _is_marked(one, store)], Tally()
    contents = store.contents() if due else None
    if contents is not None:
        done = replace(done, damaged=tuple(contents.left_out))
    for experiment in due:
        try:
            if not experiment.job().memory.keep:
                done = replace(done, kept_out=done.kept_out + 1)
                continue
            size, found = _journal_size(experiment), _remembered(experiment)
        except (GraftError, OSError, ValueError) as error:
            if isinstance(error, ResourceError):
                raise
            done = replace(done, problems=(*done.problems, f"{experiment.name}: {_told(error)}"))
            continue
        if not found.records():
            silent.add("no trial has a result", experiment.name)
        if contents is not None:
            new = not_yet_known(contents, found)
            store.append([*new.tasks(), *new.scores(), *new.records()])
            done = _counted(done, new)
        if not is_being_written(experiment.journal_file):
            _mark(experiment, store, size)
    return replace(done, passed_over=silent.result())


def synchronise_runs(uri: str, store: MemoryStore) -> Synchronised:
    """Bring in what anybody has found who records in an MLflow store; it counts half of what one has found oneself.

    Raises:
        TrackingError: there is no store, or it does not answer.
        ResourceError: the memory cannot be read or written.
    """
    from graft.tracking.mlflow.reading import ended_runs  # MLflow, which nothing else here needs

    target = Target(uri, "")
    if target.is_unmade:
        raise TrackingError(f"there is no MLflow store at {without_login(uri)}; correct its address")
    runs = ended_runs(target, is_wanted)
    contents = store.contents()
    found, passed_over = records_of_runs(runs, without_login(uri))
    new = not_yet_known(contents, found)
    store.append([*new.tasks(), *new.records()])
    return _counted(Synchronised(damaged=tuple(contents.left_out), passed_over=passed_over), new)


def remember(experiment: Experiment, home: Home) -> None:
    """Remember a run that has just ended, and what earlier ones left undone; a memory that fails ends no run."""
    try:
        store = MemoryStore.find(home)
        if store is not None:
            done = synchronise(home, store)
            if done.records:
                store.compact()
    except GraftError as error:
        told = "`graft memory sync` brings it in later"
        _LOG.warning("%s is not in the task memory: %s; %s", experiment.name, error, told)


@contextlib.contextmanager
def remembering(experiment: Experiment, home: Home) -> Iterator[None]:
    """However the run ends, later searches learn from its trials: when its journal is closed."""
    try:
        yield
    finally:
        remember(experiment, home)


def note_task(experiment: Experiment, entry: TaskEntry, scores: Sequence[Scores] = ()) -> None:
    """Leave what is known of the task of a run in its directory, for the memory to take."""
    plain = {name: _plain(value) for name, value in vars(entry).items()}
    write_json(experiment.directory / TASK_FILE, {"entry": plain, "scores": [vars(one) for one in scores]})


def _remembered(experiment: Experiment) -> HeldMemory:
    if not experiment.journal_file.exists():
        return HeldMemory()
    is_over = not is_being_written(experiment.journal_file)
    found = records_of((event for _, event in read(experiment.journal_file)), is_over)
    entry, scores = _noted(experiment, found)
    if entry is None or not found.records:
        return HeldMemory()
    return HeldMemory(found.records, [entry], scores)


def _noted(experiment: Experiment, found: Remembered) -> tuple[TaskEntry | None, list[Scores]]:
    """The task with what its run has left of it."""
    file = experiment.directory / TASK_FILE
    if found.task is None or not file.exists():
        return found.task, []
    held = read_json(file)
    try:
        entry = replace(
            found.task,
            meta_features={str(name): float(value) for name, value in held["entry"]["meta_features"].items()},
            embedding=tuple(map(float, held["entry"]["embedding"])),
            embedding_version=str(held["entry"]["embedding_version"]),
        )
        origin = {"task": found.task.task, "source": found.task.source, "written_at": found.task.written_at}
        scores = [Scores(**{**one, **origin}) for one in held["scores"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{file} is damaged ({error}); delete it") from error
    return entry, scores


def _counted(done: Synchronised, new: HeldMemory) -> Synchronised:
    trials = len({one.trial for one in new.records()})
    return replace(
        done,
        experiments=done.experiments + bool(new.records()),
        trials=done.trials + trials,
        records=done.records + len(new.records()),
    )


def _is_marked(experiment: Experiment, store: MemoryStore) -> bool:
    file = experiment.directory / MARK_FILE
    if not file.exists():
        return False
    try:
        mark = read_json(file)
    except ArtifactError:
        return False
    return isinstance(mark, dict) and mark == _mark_of(store, _journal_size(experiment))


def _mark(experiment: Experiment, store: MemoryStore, size: int) -> None:
    write_json(experiment.directory / MARK_FILE, _mark_of(store, size))


def _mark_of(store: MemoryStore, size: int) -> dict[str, Any]:
    return {"memory": str(store.place), "bytes": size}


def _journal_size(experiment: Experiment) -> int:
    try:
        return experiment.journal_file.stat().st_size
    except FileNotFoundError:
        return 0


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"its job is none that this graft reads ({'.'.join(map(str, first['loc']))}: {first['msg']})"
    return " ".join(str(error).split())[:200]

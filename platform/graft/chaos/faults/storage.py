"""What can happen to the files of an experiment, and to the disk they lie on."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from graft.chaos.environment.child import Child, Ended
from graft.chaos.environment.disks import (
    can_mount,
    fill,
    free_again,
    read_only_tree,
    unreachable,
    without_inodes,
)
from graft.chaos.fault import Fault, Missed, require
from graft.chaos.sandbox import RunnerContext, Sandbox
from graft.journal import events
from graft.learner.checkpoints import CheckpointStore

DISK_MB = 400
# Less than the share of a small disk that weights leave free, more than the journal and the tracking store need.
_LEFT_FOR_RECORDS = 12 << 20
_AWAY_S = 60.0
# Of a scheduler that makes trials leave states to go on from, every epoch.
EVERY_EPOCH = ("search.scheduler={kind: pbt, interval: 1}", "search.searcher=random", "search.population=2")


def _tear_journal(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child)
    child.kill()
    tear(sandbox.experiment.journal_file)
    damage = sandbox.call("journal", "verify", sandbox.experiment.name, "--json").summary["torn"]
    require(damage == 1, f"`graft journal verify` counts {damage} torn records, but one was torn")
    sandbox.finish()
    return moment


def _truncate(sandbox: Sandbox) -> str:
    return _damage(sandbox, truncate)


def _flip(sandbox: Sandbox) -> str:
    return _damage(sandbox, flip_a_bit)


def _damage(sandbox: Sandbox, how: Callable[[Path], None]) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, max(3, sandbox.undisturbed.reports // 2))
    sandbox.kill_all(child)
    file = newest_weights(sandbox)
    how(file)
    sandbox.finish()
    notes = [event.text for event in sandbox.records if isinstance(event, events.TrialNoted)]
    require(any(file.name in note for note in notes), f"nothing says that {file.parent.name}/{file.name} was damaged")
    return f"{moment}, {file.parent.name}/{file.name}"


def newest_weights(sandbox: Sandbox) -> Path:
    """The newest state of a trial that has not ended, and goes on from it; its best weights if it leaves no states.

    Raises:
        Missed: all trials have ended.
    """
    store = CheckpointStore(sandbox.experiment.checkpoints)
    ended = {event.trial for event in sandbox.records if isinstance(event, events.TrialFinished)}
    started = [event.trial for event in sandbox.records if isinstance(event, events.TrialStarted)]
    running = [trial for trial in started if trial not in ended | _about_to_copy(sandbox.records)]
    files = [store.state_file(found[0]) for trial in running if len(found := store.of_trial(trial)) > 1]
    files += [store.best_file(trial) for trial in running if store.best_file(trial).exists()]
    if not files:
        raise Missed("no trial was cut off that had left weights")
    return files[0]


def _about_to_copy(records: Sequence[events.Event]) -> set[str]:
    """Trials that go on from the state of another: nobody will read their own."""
    steps = (event for event in records if isinstance(event, events.TrialReported | events.TrialExploited))
    last = {event.trial: event for event in steps}
    return {trial for trial, event in last.items() if isinstance(event, events.TrialExploited)}


def _fill_for_weights(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    fill(sandbox.home.root, _LEFT_FOR_RECORDS)
    child.wait_until(lambda: sandbox.count(events.TrialNoted) or sandbox.count(events.SearchEnded), "a note")
    free_again(sandbox.home.root)
    child.wait().require_success()
    require(sandbox.count(events.TrialNoted), "nothing says that weights were not kept")
    return moment


def _fill_for_records(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    fill(sandbox.home.root, 0)
    told = child.wait().require_one_line(exit_codes=(3,))
    free_again(sandbox.home.root)
    require("no space left" in told, f"it does not say that the disk is full: {told}")
    sandbox.finish()
    return moment


def _make_read_only(sandbox: Sandbox) -> str:
    child = _run_to_the_first_epoch(sandbox)
    with read_only_tree(sandbox.home.root):
        ended = child.wait()
    return _finish(sandbox, ended)


def _take_inodes(sandbox: Sandbox) -> str:
    child = _run_to_the_first_epoch(sandbox)
    with without_inodes(sandbox.home.root):
        ended = child.wait()
    return _finish(sandbox, ended)


def _run_to_the_first_epoch(sandbox: Sandbox) -> Child:
    child = sandbox.run()
    child.wait_until(lambda: sandbox.count(events.TrialReported), "an epoch of the search")
    return child


def _finish(sandbox: Sandbox, ended: Ended) -> str:
    """Weights that could not be kept are missing afterwards; those of the winner are trained again."""
    told = ended.require_one_line()
    require("read-only" in told.lower() or "no inodes left" in told, f"it does not say what is wrong: {told}")
    sandbox.finish()
    return "the first epoch of the search"


def _take_away(sandbox: Sandbox) -> str:
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    with unreachable(sandbox.home.root):
        began = time.monotonic()
        while not child.has_ended and time.monotonic() - began < _AWAY_S:
            time.sleep(0.2)
    ended = child.wait()
    if ended.exit_code:
        ended.require_one_line()
        sandbox.finish()
    return f"{moment}; the run {'ended with one line' if ended.exit_code else 'went on'}"


def tear(journal: Path) -> None:
    """Leave half of one more record at the end, as a crash in the middle of writing does."""
    lines = journal.read_bytes().splitlines(keepends=True)
    with journal.open("ab") as stream:
        stream.write(lines[-1][: len(lines[-1]) // 2])


def truncate(file: Path) -> None:
    """Cut a file in half."""
    os.truncate(file, file.stat().st_size // 2)


def flip_a_bit(file: Path) -> None:
    """Change one bit in the middle of a file."""
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))


def needs_a_disk(context: RunnerContext) -> str:
    """Why no small disk can be made here; empty if one can."""
    return can_mount(context.root)


STORAGE_FAULTS = (
    Fault(
        "journal-torn",
        "the driver is killed in the middle of writing a record; `graft resume` follows",
        "the torn record counts for nothing, it is cut off, and the run goes on",
        _tear_journal,
    ),
    Fault(
        "checkpoint-truncated",
        "the driver is killed, and the newest weights of a trial lose their second half",
        "the trial falls back on the weights before, and says so",
        _truncate,
    ),
    Fault(
        "checkpoint-bit-flipped",
        "the driver is killed, and one bit of the newest weights of a trial changes",
        "the trial falls back on the weights before, and says so",
        _flip,
    ),
    Fault(
        "state-truncated",
        "the same in a search whose trials leave a state every epoch",
        "the trial falls back on the state before, and says so",
        _truncate,
        overrides=EVERY_EPOCH,
    ),
    Fault(
        "disk-full-for-weights",
        "the disk has room for records only, from the first epoch until a trial has noticed",
        "training goes on without weights on the disk, and says so",
        _fill_for_weights,
        needs_a_disk,
        home="disk-a",
    ),
    Fault(
        "disk-full-for-records",
        "the disk is full from the first epoch on",
        "the run ends with one line and exit code 3; when there is room again, `graft resume` finishes",
        _fill_for_records,
        needs_a_disk,
        home="disk-b",
    ),
    Fault(
        "home-read-only",
        "the home becomes read-only after the first epoch, and stays so until the run has ended",
        "the run ends with one line, and `graft resume` finishes when it can be written again",
        _make_read_only,
        needs_a_disk,
        home="disk-c",
    ),
    Fault(
        "inodes-gone",
        "the disk can hold no more files after the first epoch, until the run has ended",
        "the run ends with one line, and `graft resume` finishes when there is room for files again",
        _take_inodes,
        needs_a_disk,
        home="disk-d",
    ),
    Fault(
        "storage-away",
        f"the home cannot be reached or written for {_AWAY_S:.0f} s",
        "the run goes on when it is back, or ends with one line and `graft resume` finishes",
        _take_away,
        needs_a_disk,
        home="away",
    ),
)

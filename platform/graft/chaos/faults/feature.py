"""What can happen to the features of frozen blocks, which a search keeps to compute them once."""

import shutil
from pathlib import Path

from graft.chaos.checks import problems
from graft.chaos.environment.disks import fill, small_disk
from graft.chaos.fault import Fault, Missed, require
from graft.chaos.faults.process import TRIAL, needs_own_processes
from graft.chaos.faults.storage import flip_a_bit, needs_a_disk
from graft.chaos.sandbox import Sandbox
from graft.journal import events

_NOT_KEPT = "their features cannot be kept"
# Enough for the locks of the store, too little for any features.
_LEFT_FOR_LOCKS = 48 << 10


def _kill_the_builder(sandbox: Sandbox) -> str:
    store = _emptied(sandbox)
    child = sandbox.run()
    child.wait_until(lambda: _half_built(store), "features were being computed")
    for process in sandbox.processes(TRIAL):
        process.kill()
    left = _half_built(store)
    if not left:
        raise Missed("the features were finished before whoever computed them could be killed")
    child.wait().require_success()
    require(not any(path.exists() for path in left), f"{left[0].name} was left behind")
    require(_sets(store), "nobody has computed the features again")
    return "in the middle of the first features"


def _flip(sandbox: Sandbox) -> str:
    damaged = _sets(sandbox.home.features)
    if not damaged:
        raise Missed("the undisturbed run has kept no features of frozen blocks")
    for directory in damaged:
        for shard in directory.glob("*.arrow"):
            flip_a_bit(shard)
    cache = sandbox.run().wait().require_success().summary["cache"]
    require(cache["misses"], "no features were computed again, so damaged ones were trained on")
    return f"before the start, {len(damaged)} sets of features"


def _remove(sandbox: Sandbox) -> str:
    store = _emptied(sandbox)
    child = sandbox.run()
    moment = sandbox.await_report(child, 1)
    if not _sets(store):
        raise Missed("the run keeps no features of frozen blocks")
    shutil.rmtree(store, ignore_errors=True)
    child.wait().require_success()
    return moment


def _fill(sandbox: Sandbox) -> str:
    with small_disk(_emptied(sandbox), 1) as disk:
        fill(disk, _LEFT_FOR_LOCKS)
        sandbox.run().wait().require_success()
    noted = [event for event in sandbox.records if isinstance(event, events.TrialNoted) and _NOT_KEPT in event.text]
    if not noted:
        raise Missed("no trial had features of frozen blocks to keep")
    told = {event.what for event in noted}
    require(len(told) == 1, f"it is said {len(told)} times that features are not kept, but should be once")
    return "the whole run"


def _run_two(sandbox: Sandbox) -> str:
    store = _emptied(sandbox)
    child = sandbox.run()
    child.wait_until(lambda: sandbox.found, "the experiment was there")
    with sandbox.beside() as other:
        summaries = [one.wait().require_success().summary for one in (other.run(), child)]
        other.settle()
        wrong = problems(other.facts(), sandbox.undisturbed)
    require(not wrong, f"in the second run, {'; '.join(wrong)}")
    sets = len(_sets(store))
    if not sets:
        raise Missed("the runs keep no features of frozen blocks")
    built = sum(summary["cache"]["misses"] for summary in summaries)
    require(built == sets, f"{built} sets of features were computed, but there are {sets}: some were computed twice")
    return "from the start"


def _emptied(sandbox: Sandbox) -> Path:
    """The directory of the features, without those of the runs before."""
    shutil.rmtree(sandbox.home.features, ignore_errors=True)
    return sandbox.home.features


def _half_built(store: Path) -> list[Path]:
    return [*store.glob(".building-*")]


def _sets(store: Path) -> list[Path]:
    return [path.parent for path in store.glob("[!.]*/manifest.json")]


FEATURE_FAULTS = (
    Fault(
        "features-builder-killed",
        "the process that computes the features of frozen blocks is killed in the middle",
        "nothing half-finished is taken for features; they are computed again, and the trial goes on",
        _kill_the_builder,
        needs_own_processes,
    ),
    Fault(
        "features-damaged",
        "one bit changes in every file of features that an earlier run has left",
        "the damage is found before anything is trained on it, and those features are computed again",
        _flip,
    ),
    Fault(
        "features-removed",
        "all features are deleted after the first epoch",
        "who reads them goes on reading, and who comes later computes them again",
        _remove,
    ),
    Fault(
        "disk-full-for-features",
        "the disk of the features is full from the start",
        "the run goes on without features, says so once, and finds the same winner",
        _fill,
        needs_a_disk,
    ),
    Fault(
        "two-runs-at-once",
        "a second run of the same job starts as soon as the first has begun, and no features are there",
        "each set of features is computed by one of them, and both find the same winner",
        _run_two,
        needs_own_processes,
    ),
)

"""Whole searches on Ray Tune, with curves instead of training; what is decided is compared with the simulation."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from graft.core import machine_faults
from graft.core.errors import ResourceError
from graft.journal.events import TrialFinished, TrialStatus
from graft.journal.journal import Journal, read
from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.protocol import Duplicate, Exploit, Proposal, TrialEnd, TrialReporter
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.simulation import simulate
from graft.search.tuner import Execution, run_search
from graft.spec.search.phases import Phase, phases_of
from graft.spec.search.search import SearchSpec
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

EPOCHS = 4
ACCURACY = metric_named("accuracy")
SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})


class Heard:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.reports: dict[str, list[int]] = {}
        self.exploits: list[tuple[str, str, int]] = []
        self.ends: dict[str, TrialEnd] = {}
        self.nodes: set[str] = set()

    def on_duplicate(self, duplicate: Duplicate) -> None:
        raise AssertionError("a continuous space has no duplicates")

    def on_started(self, proposal: Proposal) -> None:
        self.started.append(proposal.trial)

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        self.nodes |= set(nodes)

    def on_note(self, trial: str, text: str) -> None:
        pass

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        assert not [name for name in metrics if name.startswith("config/")], "Tune's config is no metric"
        self.reports.setdefault(trial, []).append(epoch)

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None:
        self.exploits.append((proposal.trial, exploit.source.trial, exploit.source.epoch))

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        assert trial not in self.ends, "a trial ends once"
        self.ends[trial] = end


def phase(scheduler: Any, trials: int) -> Phase:
    spec = {"scheduler": scheduler}
    spec |= {"population": trials} if isinstance(scheduler, dict) and scheduler["kind"] == "pbt" else {}
    found = phases_of(SearchSpec.model_validate(spec), EPOCHS)[0]
    return Phase(0, found.scheduler, found.searcher, trials, EPOCHS, False, found.is_population_based, False)


def conductor(scheduler: Any, trials: int, slots: int = 2, observer: "Heard | None" = None) -> tuple[Conductor, Heard]:
    heard, one = observer or Heard(), phase(scheduler, trials)
    searcher = build_searcher(one.searcher, SPACE, ACCURACY, 0)
    made = build_scheduler(one, ACCURACY, 0, SPACE)
    return Conductor(made, SearchProposer(searcher, one), heard, ACCURACY, slots), heard


def execution(tmp_path: Path, slots: int = 2, is_over: Callable[[], bool] = lambda: False) -> Execution:
    return Execution("search", tmp_path, ACCURACY, {"CPU": 2 / slots}, slots, is_over)


def curve(proposal: Proposal, epoch: int) -> dict[str, float]:
    """Accuracy rises towards a height that the learning rate decides."""
    return {"val/accuracy": proposal.strategy.lr * 10 * epoch / EPOCHS, "train/seconds": 0.0}


def train(proposal: Proposal, payload: dict[str, Any], reporter: TrialReporter) -> None:
    """Notes its process, leaves a mark after each epoch, and goes on from there; some break, some processes die."""
    mark = Path(payload["marks"]) / f"{proposal.trial}-{proposal.segment}"
    with mark.with_name("begun").open("a") as begun:
        begun.write(f"{proposal.trial} {os.getpid()}\n")
    start = proposal.start.epoch if proposal.start else 0
    done = int(mark.read_text()) if mark.exists() else start
    if done > max(proposal.reported, start):
        reporter.report(done, curve(proposal, done))
    for epoch in range(done + 1, proposal.epochs + 1):
        if proposal.trial == payload.get("breaks") and epoch == 2:
            raise RuntimeError("the disk is on fire\nand there is more")
        if proposal.trial == payload.get("diverges") and epoch == 2:
            reporter.fail("loss is nan in epoch 2, step 1")
            return
        if proposal.trial == payload.get("dies") and epoch == 3 and not mark.with_suffix(".dead").exists():
            mark.with_suffix(".dead").touch()
            os._exit(1)
        mark.write_text(str(epoch))
        reporter.report(epoch, curve(proposal, epoch))


def searched(tmp_path: Path, scheduler: Any, trials: int, slots: int = 2, **payload: Any) -> Heard:
    led, heard = conductor(scheduler, trials, slots)
    run_search(execution(tmp_path, slots), led, heard, train, {"marks": str(tmp_path), **payload})
    return heard


class Written(Heard):
    """An observer that journals how trials end."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        super().on_finished(trial, end)
        self._journal.append(TrialFinished(trial, end.status, end.reason))


def killed_by_the_kernel(proposal: Proposal, payload: dict[str, Any], reporter: TrialReporter) -> None:
    """As the kernel does where memory runs out: it counts, and the process is gone."""
    if proposal.trial == KILLED:
        kills = Path(payload["vmstat"])
        kills.write_text(f"pgfault 1\noom_kill {int(kills.read_text().split()[-1]) + 1}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    train(proposal, payload, reporter)


BROKEN, DIVERGED, DEAD, KILLED = "t02", "t03", "t05", "t06"
UNTROUBLED = ("t01", "t04", "t07")


@dataclass(frozen=True)
class Troubled:
    """A search in which some trials met with something, and the ends that it has journalled."""

    heard: Heard
    journalled: Mapping[str, str]


@pytest.fixture(scope="module")
def troubled(ray_session: None, tmp_path_factory: pytest.TempPathFactory) -> Troubled:
    """One search for all trials that fail, since processes of its own take each seconds to start."""
    place = tmp_path_factory.mktemp("troubled")
    (vmstat := place / "vmstat").write_text("pgfault 1\noom_kill 7\n")
    payload = {"marks": str(place), "vmstat": str(vmstat), "breaks": BROKEN, "diverges": DIVERGED, "dies": DEAD}
    with Journal(place / "journal.jsonl") as journal, pytest.MonkeyPatch.context() as patched:
        patched.setattr(machine_faults, "VMSTAT", vmstat)
        led, heard = conductor("none", 7, observer=Written(journal))
        run_search(execution(place), led, heard, killed_by_the_kernel, payload)
    ends = [event for _, event in read(place / "journal.jsonl") if isinstance(event, TrialFinished)]
    assert len(ends) == 7
    return Troubled(heard, {end.trial: end.reason for end in ends})


def test_every_trial_is_started_reported_and_ended_once(troubled: Troubled) -> None:
    heard = troubled.heard
    assert sorted(heard.started) == ["t01", "t02", "t03", "t04", "t05", "t06", "t07"]
    assert {trial: heard.reports[trial] for trial in UNTROUBLED} == {trial: [1, 2, 3, 4] for trial in UNTROUBLED}
    assert set(heard.ends) == set(heard.started)
    assert len(heard.nodes) == 1


def test_a_broken_trial_fails_alone_and_says_why(troubled: Troubled) -> None:
    heard = troubled.heard
    broken = heard.ends[BROKEN]
    assert replace(broken, log="") == TrialEnd(TrialStatus.FAILED, "RuntimeError: the disk is on fire")
    assert broken.log.startswith("Traceback")
    assert broken.log.endswith("and there is more\n")
    assert heard.ends[DIVERGED] == TrialEnd(TrialStatus.FAILED, "loss is nan in epoch 2, step 1")
    assert heard.reports[BROKEN] == heard.reports[DIVERGED] == [1]
    assert {heard.ends[trial].status for trial in UNTROUBLED} == {TrialStatus.COMPLETED}


def test_a_trial_whose_process_dies_goes_on_from_what_it_has_left(troubled: Troubled) -> None:
    assert troubled.heard.reports[DEAD] == [1, 2, 3, 4]
    assert troubled.heard.ends[DEAD].status is TrialStatus.COMPLETED


def test_a_trial_that_the_kernel_ends_for_lack_of_memory_is_told_so_and_the_search_goes_on(troubled: Troubled) -> None:
    told = "the trial's process was ended by the kernel because memory ran out"
    remedy = "lower strategy.batch_size, or resources.concurrent_trials"
    assert troubled.heard.ends[KILLED].reason == f"{told}; {remedy}; it died 3 times"
    assert troubled.heard.ends[KILLED].status is TrialStatus.FAILED
    assert troubled.journalled == {trial: end.reason for trial, end in troubled.heard.ends.items()}


def test_asha_stops_trials_in_reused_processes_and_the_best_one_finishes(tmp_path: Path) -> None:
    heard = searched(tmp_path, {"kind": "asha", "reduction_factor": 2}, 9)
    stopped = {trial for trial, end in heard.ends.items() if end.status is TrialStatus.STOPPED}
    assert stopped
    assert len(heard.ends) == 9
    assert all(end.rung is not None for trial, end in heard.ends.items() if trial in stopped)
    assert {heard.ends[trial].status for trial in set(heard.ends) - stopped} == {TrialStatus.COMPLETED}


def expected_of(trials: int, slots: int) -> Heard:
    """What the same population does in the simulation."""
    simulated, expected = conductor({"kind": "pbt"}, trials, slots)
    simulate(simulated, curve)
    assert len(expected.exploits) >= 2
    return expected


def test_a_population_as_large_as_the_slots_copies_as_in_the_simulation(tmp_path: Path) -> None:
    heard = searched(tmp_path, {"kind": "pbt"}, 2, 2)
    assert sorted(heard.exploits) == sorted(expected_of(2, 2).exploits)
    assert heard.reports == {trial: [1, 2, 3, 4] for trial in ("t01", "t02")}


def test_a_larger_population_copies_as_in_the_simulation_and_uses_its_processes_again(tmp_path: Path) -> None:
    heard = searched(tmp_path, {"kind": "pbt"}, 4, 2)
    assert sorted(heard.exploits) == sorted(expected_of(4, 2).exploits)
    # What a trial reports after a copy is told of itself, not of its donor.
    assert heard.reports == {trial: [1, 2, 3, 4] for trial in ("t01", "t02", "t03", "t04")}
    begun = [line.split() for line in (tmp_path / "begun").read_text().splitlines()]
    assert len(begun) >= 8, "every generation needs all trials, and so each of them more than one start"
    # One for each slot; Tune starts another now and then before it has heard that one is free.
    assert len({pid for _, pid in begun}) <= len(begun) / 2
    assert {trial for trial, _ in begun} == set(heard.started)


def test_a_population_survives_the_death_of_a_member(tmp_path: Path) -> None:
    heard = searched(tmp_path, {"kind": "pbt"}, 4, 2, dies="t03")
    assert sorted(heard.exploits) == sorted(expected_of(4, 2).exploits)
    assert {end.status for end in heard.ends.values()} == {TrialStatus.COMPLETED}


# The median stops as ASHA does.
@pytest.mark.parametrize("kind", ["hyperband", "one_epoch_top_k", pytest.param("median", marks=pytest.mark.slow)])
def test_trials_that_wait_for_each_other_all_come_to_an_end(tmp_path: Path, kind: str) -> None:
    simulated, expected = conductor(kind, 5)
    simulate(simulated, curve)
    heard = searched(tmp_path, kind, 5)
    assert set(heard.ends) == set(expected.ends)
    if kind != "median":  # it compares with whoever has come that far, which depends on the time
        assert {trial: end.status for trial, end in heard.ends.items()} == {
            trial: end.status for trial, end in expected.ends.items()
        }


def test_the_end_of_the_search_leaves_no_trial_open(tmp_path: Path) -> None:
    led, heard = conductor("none", 50)
    over = execution(tmp_path, is_over=lambda: len(heard.ends) >= 2)
    run_search(over, led, heard, train, {"marks": str(tmp_path)})
    assert 2 <= len(heard.started) < 50
    assert set(heard.ends) == set(heard.started)


class Full(Heard):
    """An observer whose journal finds no room at the second report."""

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch == 2:
            raise ResourceError("no space left while writing journal.jsonl; free some, or choose another --home")
        super().on_report(trial, epoch, metrics)


def test_what_the_observer_raises_ends_the_search_as_it_is(tmp_path: Path) -> None:
    led, full = conductor("none", 1, observer=Full())
    with pytest.raises(ResourceError, match=r"^no space left while writing"):
        run_search(execution(tmp_path), led, full, train, {"marks": str(tmp_path)})

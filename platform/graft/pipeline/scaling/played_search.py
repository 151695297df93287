"""A job's search, played on a simulated cluster with the schedulers of a real one, on curves that are made up."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graft.clusters.autoscaling.fleet import Fleet
from graft.pipeline.scaling.asked import Asked
from graft.search.conductor import Conductor
from graft.search.protocol import Checkpoint, Duplicate, Exploit, Proposal, TrialEnd
from graft.search.schedulers.build import build_scheduler
from graft.search.simulation import Unlimited, simulate
from graft.spec.job import Job
from graft.spec.search.phases import Phase, drawn_from
from graft.spec.search.schedulers import NoScheduler
from graft.spec.strategy import Strategy

# Trials that are played where none but time or money ends the search.
MOST_TRIALS = 20_000
# Epochs after which a made-up curve has come to 63 % of its end.
RISE = 3.0

Spent = Callable[[float], float | None]
"""``spent(now)``: what has been paid."""


@dataclass(frozen=True)
class Played:
    """How a played search ended.

    Attributes:
        end: when.
        trials: that were begun.
        ended_by: the limit of the budget that ended it; empty if its trials did.
    """

    end: float
    trials: int
    ended_by: str = ""


@dataclass(frozen=True)
class Times:
    """Seconds of a run.

    Attributes:
        start: when the search begins.
        epoch: of a trial; where trials share a process, of all of them together.
        after: from the end of the search to the model.
    """

    start: float
    epoch: float
    after: float


def play_search(job: Job, fleet: Fleet, asked: Asked, times: Times, spent: Spent) -> Played:
    """Play all phases.

    Args:
        job: whose search.
        fleet: where.
        asked: what the job asks for.
        times: of the run.
        spent: for a budget in money.
    """
    limits = _Limits(job, spent, times.after)
    now = times.start
    if asked.is_fused:
        now = _hosts_up(fleet, asked, now)
    try:
        for phase in drawn_from(job.phases, job.strategies):
            proposer = _Numbered(job, phase, limits.begun)
            scheduler = build_scheduler(_playable(phase), job.objective, job.search.seed, job.strategy)
            conductor = Conductor(scheduler, proposer, Silent(), job.objective, asked.trials_at_once)
            limits.proposers.append(proposer)
            room = Unlimited() if asked.is_fused else fleet
            now = simulate(conductor, _curve(job), lambda proposal, epoch: times.epoch, room, limits.check, now)
        return _ended(fleet, Played(now, limits.begun))
    except _LimitReachedError as reached:
        return _ended(fleet, Played(reached.now, limits.begun, reached.by))


def _ended(fleet: Fleet, played: Played) -> Played:
    fleet.clear(played.end)
    fleet.placed(played.end)
    return played


def _hosts_up(fleet: Fleet, asked: Asked, now: float) -> float:
    """When all processes are there that train heads together."""
    hosts = {f"host-{index}" for index in range(asked.concurrent)}
    for host in hosts:
        fleet.ask(host, now)
    while hosts := hosts - {*fleet.placed(now)}:
        now = fleet.next_change()
    return now


class _LimitReachedError(Exception):
    def __init__(self, by: str, now: float) -> None:
        super().__init__(by)
        self.by, self.now = by, now


class _Limits:
    """The budget, looked at before trials are started."""

    def __init__(self, job: Job, spent: Spent, reserve: float) -> None:
        self._budget, self._spent, self._reserve = job.search.budget, spent, reserve
        self.proposers: list[_Numbered] = []

    @property
    def begun(self) -> int:
        """Trials of all phases."""
        return sum(one.made for one in self.proposers)

    def check(self, now: float) -> None:
        """Raises when a limit is reached."""
        if self._budget.minutes is not None and now + self._reserve >= self._budget.minutes * 60:
            raise _LimitReachedError("minutes", now)
        if self._budget.cost is not None and (self._spent(now) or 0.0) >= self._budget.cost:
            raise _LimitReachedError("cost", now)


def _playable(phase: Phase) -> Phase:
    """Members of a population train to the end, whoever copies whom."""
    return replace(phase, scheduler=NoScheduler()) if phase.is_population_based else phase


def _curve(job: Job) -> Callable[[Proposal, int], Mapping[str, float]]:
    """Made-up curves: they rise to an end of their own, and the order of trials stays."""

    def curve(proposal: Proposal, epoch: int) -> Mapping[str, float]:
        quality = random.Random(f"{job.search.seed}-{proposal.trial}").random()
        value = quality * (1 - 2.718 ** (-epoch / RISE))
        return {f"val/{job.objective.name}": value if job.objective.mode == "max" else 1 - value}

    return curve


class _Numbered:
    """Proposes as many trials as a phase has; those that a job names first as they are."""

    def __init__(self, job: Job, phase: Phase, before: int) -> None:
        self._phase, self._before, self.made, self.is_exhausted = phase, before, 0, False
        self._first = () if phase.index else job.first
        self._start = job.phases[phase.index - 1].epochs if phase.from_top else 0
        self._most = phase.trials or MOST_TRIALS

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        if self.made >= self._most:
            return None
        strategy = self._first[self.made] if self.made < len(self._first) else Strategy()
        self.made += 1
        start = Checkpoint("t0", 0, self._start) if self._start else None
        epochs = 1 if strategy.head.is_solved else self._phase.epochs
        is_first = self.made <= len(self._first)
        name = f"t{self._before + self.made:05d}"
        return Proposal(name, strategy, start, 0, epochs, self._phase.index, runs_to_end=is_first)


class Silent:
    """Hears of everything, and tells nobody."""

    def on_duplicate(self, duplicate: Duplicate) -> None: ...

    def on_started(self, proposal: Proposal) -> None: ...

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None: ...

    def on_note(self, trial: str, text: str) -> None: ...

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None: ...

    def on_finished(self, trial: str, end: TrialEnd) -> None: ...

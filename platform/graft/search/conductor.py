"""Conducts the trials of one phase: what runs, what waits, what is started next. Pure; an executor acts on it.

The executor (Ray Tune in `tuner`, replayed curves in `simulation`) starts what `next` gives, hands over every report,
and does what `take_actions` says with trials that were held. The same calls in the same order give the same search, so
a search that was cut off is brought back by `restore`, from the journal's records of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from graft.journal.events import TrialStatus
from graft.search.protocol import (
    Decision,
    Exploit,
    GoOn,
    Hold,
    Later,
    Observation,
    Past,
    Proposal,
    Proposer,
    Report,
    Retry,
    Scheduler,
    SearchObserver,
    Stop,
    TrialEnd,
    Verdict,
    length_in,
)
from graft.spec.metrics import MetricSpec

# A process that died may have been killed for reasons of its node; one that dies again and again has its own.
MAX_CRASHES = 2
# That is said of those whose node is there; where nodes are taken away all the time, no trial is to blame.
MAX_LOST_NODES = 30


class _State(Enum):
    """`holds_slot` says whether a process is there for the trial."""

    QUEUED = ("queued", False)
    RUNNING = ("running", True)
    HELD = ("held", True)
    SUSPENDED = ("suspended", False)
    ENDED = ("ended", False)

    def __init__(self, label: str, holds_slot: bool) -> None:
        self.label = label
        self.holds_slot = holds_slot


@dataclass
class _Trial:
    proposal: Proposal
    state: _State = _State.QUEUED
    epoch: int = 0
    values: dict[int, float] = field(default_factory=dict)
    crashes: int = 0
    lost_nodes: int = 0
    failed: bool = False
    was_started: bool = False
    observed: Observation | None = None

    def observe(self) -> Observation:
        """What has become of it; kept until that changes, because a searcher asks for all trials at every draw."""
        self.observed = Observation(self.proposal.strategy, dict(self.values), self.failed)
        return self.observed


Action = GoOn | Stop | Proposal
"""What a held process is to do: go on, end, or begin anew."""


class Conductor:
    """The state of one phase.

    Args:
        scheduler: decides about trials.
        proposer: gives new ones.
        observer: hears of everything once.
        metric: what the scheduler compares.
        slots: how many trials run at once.
    """

    def __init__(
        self, scheduler: Scheduler, proposer: Proposer, observer: SearchObserver, metric: MetricSpec, slots: int
    ) -> None:
        self._scheduler, self._proposer, self._observer = scheduler, proposer, observer
        self._metric, self._slots = metric, slots
        self._trials: dict[str, _Trial] = {}
        # Those that have not ended: what is asked at every turn must not cost more with every trial that has.
        self._open: dict[str, _Trial] = {}
        self._actions: dict[str, Action] = {}
        self._undone: dict[str, Decision] | None = None
        self._no_more = False

    @property
    def is_done(self) -> bool:
        """Whether nothing runs, waits, or can be started any more."""
        return self._no_more and not self._open

    @property
    def is_complete(self) -> bool:
        """Whether all trials have begun, and each that has not ended has a process."""
        return self._no_more and all(trial.state.holds_slot for trial in self._open.values())

    @property
    def needed(self) -> int:
        """The most processes that will be needed at once from now on."""
        return min(self._slots, len(self._open)) if self._no_more else self._slots

    @property
    def training(self) -> frozenset[str]:
        """Trials that train now; those that are held only wait."""
        return frozenset(name for name, trial in self._open.items() if trial.state is _State.RUNNING)

    def history(self) -> tuple[Observation, ...]:
        """What became of each trial so far, for a searcher."""
        return tuple(trial.observed or trial.observe() for trial in self._trials.values())

    def next(self) -> Proposal | None:
        """What to start now, as a process of its own; None when there is no free slot, or nothing to start."""
        if not self._free_slots():
            return None
        trial = self._queued() or self._propose()
        if trial is None:
            self._require_motion()
            return None
        trial.state = _State.RUNNING
        # Before it has a process: a decision that is not recorded would be lost with this one.
        if not trial.was_started:
            trial.was_started = True
            self._observer.on_started(trial.proposal)
        return replace(trial.proposal, reported=trial.epoch)

    def to_suspend(self, is_starved: bool = False) -> str | None:
        """A held trial whose process must make room for one that waits for a slot; None if there is no need.

        Args:
            is_starved: whether a trial that was started gets no process: a node has left, and there are fewer slots
                than there were.
        """
        held = [name for name, trial in self._open.items() if trial.state is _State.HELD]
        if not held or (self._free_slots() and not is_starved):
            return None
        if not is_starved and (self._queued() or self._propose()) is None:
            self._require_motion()
            return None
        still_held = [name for name in held if self._trials[name].state is _State.HELD]
        if not still_held:
            return None
        self._trials[still_held[0]].state = _State.SUSPENDED
        return still_held[0]

    def reported(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> Verdict:
        """A trial has trained an epoch: what is it to do? An epoch that was reported before is passed over."""
        one = self._trials[trial]
        if epoch <= one.epoch:
            return GoOn()
        self._observer.on_report(trial, epoch, metrics)
        verdict = self._judge(one, Report(trial, epoch, metrics[f"val/{self._metric.name}"], length_in(metrics)))
        if isinstance(verdict, Hold):
            one.state = _State.HELD
        elif isinstance(verdict, Stop):
            self._end(one, _stopped(verdict))
        self._settle()
        return self._answer(one, verdict)

    def ended(self, trial: str, end: TrialEnd) -> None:
        """A trial has ended by itself; one that was told to stop has ended already."""
        one = self._trials[trial]
        if one.state is not _State.ENDED:
            self._end(one, end)
            self._settle()

    def crashed(self, trial: str, reason: str, log: str = "", is_node_lost: bool = False) -> None:
        """A trial's process died: it goes on from its newest checkpoint in another one, unless it dies too often.

        Args:
            trial: whose.
            reason: one line for the user.
            log: what the process has left.
            is_node_lost: it died with its node, or left a node that is about to be taken away.
        """
        one = self._trials[trial]
        if one.state is _State.ENDED:
            return
        one.lost_nodes, one.crashes = one.lost_nodes + is_node_lost, one.crashes + (not is_node_lost)
        if one.crashes > MAX_CRASHES or one.lost_nodes > MAX_LOST_NODES:
            died = one.crashes + one.lost_nodes
            self.ended(trial, TrialEnd(TrialStatus.FAILED, f"{reason}; it died {died} times", log=log))
            return
        was_waiting = one.state in (_State.HELD, _State.SUSPENDED)
        # What the dead process was to be told (go on, begin anew) is what the next one does by itself.
        self._actions.pop(trial, None)
        one.state = _State.SUSPENDED if was_waiting else _State.QUEUED

    def take_actions(self) -> dict[str, Action]:
        """What is to be done with processes that were held, or suspended: go on, stop, or begin anew."""
        actions, self._actions = self._actions, {}
        return actions

    def close(self) -> None:
        """Whatever has begun and not ended was cut off."""
        for one in self._trials.values():
            if one.state is not _State.ENDED and one.was_started:
                self._end(one, TrialEnd(TrialStatus.INTERRUPTED, "the search ended before this trial did"))

    def restore(self, past: Iterable[Past]) -> None:
        """Bring back a search that was cut off, before anything else is called.

        The scheduler hears again all it has heard, and decides again what it has decided. Trials that had begun and
        not ended are queued; decisions that were taken and not recorded are taken now.
        """
        for record in past:
            self._relive(record)
        for one in self._trials.values():
            if one.state is _State.RUNNING:
                one.state = _State.QUEUED
        undone, self._undone = self._undone, None
        for name, decision in (undone or {}).items():
            self._apply(self._trials[name], decision)
        self._settle()

    def _relive(self, record: Past) -> None:
        """Take in one record; whatever the scheduler decides is kept in `_undone` until a record confirms it."""
        undone = self._undone = {} if self._undone is None else self._undone
        held = self._trials.get(record.trial)
        is_failure = isinstance(record.what, TrialEnd) and record.what.status is not TrialStatus.STOPPED
        if held and held.state is _State.SUSPENDED and record.trial not in undone and not is_failure:
            # A held trial that did something had been decided about; what is missing is that no more would come.
            self._no_more = True
            self._settle()
        if isinstance(record.what, Proposal):
            before = self._trials.get(record.trial)
            one = before or _Trial(record.what)
            self._trials[record.trial] = one
            if before is None or record.what.segment > before.proposal.segment:
                self._begin(one, record.what)
            one.state = _State.RUNNING
            undone.pop(record.trial, None)
        elif isinstance(record.what, Report):
            one = self._trials[record.trial]
            undone.pop(record.trial, None)
            if record.what.epoch > one.epoch:
                verdict = self._judge(one, record.what)
                one.state = _State.SUSPENDED if isinstance(verdict, Hold) else _State.RUNNING
                if isinstance(verdict, Stop):
                    undone[record.trial] = verdict
        elif isinstance(record.what, Retry):
            one = self._trials[record.trial]
            one.state, one.failed, one.observed = _State.RUNNING, False, None
            self._open[record.trial] = one
        elif record.what.status is not TrialStatus.INTERRUPTED:
            undone.pop(record.trial, None)
            self._forget(self._trials[record.trial], record.what)
        self._settle()

    def _free_slots(self) -> int:
        return self._slots - sum(trial.state.holds_slot for trial in self._open.values())

    def _queued(self) -> _Trial | None:
        return next((trial for trial in self._open.values() if trial.state is _State.QUEUED), None)

    def _propose(self) -> _Trial | None:
        if self._no_more:
            return None
        proposal = self._proposer.propose(self._observer.on_duplicate)
        if isinstance(proposal, Later) and self.training:
            return None
        if not isinstance(proposal, Proposal):  # those that are held may wait for nothing else
            self._no_more = True
            self._settle()
            return self._queued()
        one = self._trials[proposal.trial] = _Trial(proposal)
        self._begin(one, proposal)
        self._settle()
        return one

    def _begin(self, one: _Trial, proposal: Proposal) -> None:
        one.proposal, one.observed = proposal, None
        self._open.setdefault(proposal.trial, one)
        one.epoch = proposal.start.epoch if proposal.start else 0
        if not proposal.is_solved:
            self._scheduler.add(proposal)

    def _judge(self, one: _Trial, report: Report) -> Verdict:
        one.epoch, one.values[report.epoch], one.observed = report.epoch, report.value, None
        one.proposal = one.proposal.shortened(report.length)
        if one.proposal.is_solved:  # nobody is compared with it: it has had all it will ever get
            return GoOn()
        verdict = self._scheduler.report(report)
        return GoOn() if report.epoch >= one.proposal.epochs else verdict

    def _answer(self, one: _Trial, verdict: Verdict) -> Verdict:
        """What the reporting process is told at once; a new beginning comes as an action."""
        action = self._actions.get(one.proposal.trial)
        if isinstance(verdict, Hold) and isinstance(action, GoOn | Stop):
            return self._actions.pop(one.proposal.trial)  # type: ignore[return-value]
        return verdict

    def _settle(self) -> None:
        while decisions := self._scheduler.settle(self._no_more):
            for name, decision in decisions.items():
                if self._undone is not None:
                    self._undone[name] = decision
                else:
                    self._apply(self._trials[name], decision)

    def _apply(self, one: _Trial, decision: Decision) -> None:
        has_process = one.state is _State.HELD
        name = one.proposal.trial
        if isinstance(decision, Stop):
            self._end(one, _stopped(decision))
            self._actions[name] = decision
            return
        if isinstance(decision, Exploit):
            segment = one.proposal.segment + 1
            self._begin(one, replace(one.proposal, strategy=decision.strategy, start=decision.source, segment=segment))
            self._observer.on_exploit(one.proposal, decision)
        one.state = _State.RUNNING if has_process else _State.QUEUED
        if has_process:
            is_new = isinstance(decision, Exploit)
            self._actions[name] = replace(one.proposal, reported=one.epoch) if is_new else decision  # type: ignore[assignment]

    def _end(self, one: _Trial, end: TrialEnd) -> None:
        self._forget(one, end)
        self._observer.on_finished(one.proposal.trial, end)

    def _forget(self, one: _Trial, end: TrialEnd) -> None:
        one.state = _State.ENDED
        self._open.pop(one.proposal.trial, None)
        one.failed, one.observed = end.status is TrialStatus.FAILED, None
        self._actions.pop(one.proposal.trial, None)
        if not one.proposal.is_solved:
            self._scheduler.remove(one.proposal.trial)

    def _require_motion(self) -> None:
        """A scheduler that holds every trial for ever would be a silent hang."""
        states = {trial.state for trial in self._open.values()}
        moves = self._actions or _State.RUNNING in states or _State.QUEUED in states
        if states and self._no_more and not moves:
            raise RuntimeError(f"{type(self._scheduler).__name__} holds all trials that are left and decides none")


def _stopped(stop: Stop) -> TrialEnd:
    return TrialEnd(TrialStatus.STOPPED, stop.reason, stop.rung)

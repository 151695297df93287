"""HyperBand: successive halving from several starting points, against not knowing which is right."""

from collections import deque
from collections.abc import Mapping

from graft.search.protocol import CheckpointEpochs, Decision, GoOn, Proposal, Report, Verdict
from graft.search.schedulers.cohort import Cohort
from graft.search.schedulers.context import SchedulerContext
from graft.spec.search.brackets import Bracket, brackets


class HyperBand:
    """HyperBand (Li et al., JMLR 2018, algorithm 1), `phase.epochs` = R, `reduction_factor` = η.

    A round has a bracket for each s from s_max = ⌊log_η R⌋ down to 0: n = ⌈(s_max + 1)/(s + 1) · η^s⌉ trials, compared
    after r_i = ⌊R·η^(i-s)⌋ epochs for i = 0 … s-1. Of m trials compared, ⌊m/η⌋ go on, at least one. A bracket that
    would compare them before `grace_epochs` is left out (r in the paper).

    Trials fill the brackets in the order they are added, the one with most trials first; after a round comes the next.
    Trials wait only for those of their own bracket, and a bracket that is not filled is decided when no more trials
    are to come. A trial that runs to its end is of no bracket.
    """

    def __init__(self, context: SchedulerContext) -> None:
        self._context = context
        self._eta: int = context.phase.scheduler.reduction_factor
        self._planned: deque[Bracket] = deque()
        self._brackets: list[Cohort] = []
        self._bracket_of: dict[str, Cohort] = {}
        self._exempt: set[str] = set()
        milestones = (at for bracket in self._next_round() for at in bracket.milestones)
        self.checkpoints = CheckpointEpochs(at=frozenset(milestones))

    def add(self, proposal: Proposal) -> None:
        """A trial is about to start: it belongs to the first bracket that is not full."""
        if proposal.runs_to_end:
            self._exempt.add(proposal.trial)
        if proposal.trial in self._bracket_of or proposal.runs_to_end:
            return
        if not self._brackets or self._brackets[-1].is_complete:
            self._brackets.append(self._open_bracket())
        bracket = self._bracket_of[proposal.trial] = self._brackets[-1]
        bracket.add(proposal.trial, proposal.start.epoch if proposal.start else 0)

    def report(self, report: Report) -> Verdict:
        """Hold at a milestone of its bracket, else go on."""
        bracket = self._bracket_of.get(report.trial)
        return GoOn() if bracket is None else bracket.report(report)

    def remove(self, trial: str) -> None:
        """A trial has ended: its bracket does not wait for it, and its place is not given away."""
        if trial in self._bracket_of:
            self._bracket_of[trial].remove(trial)

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """What becomes of the trials of each bracket that has come to a milestone as a whole."""
        return {trial: what for bracket in self._brackets for trial, what in bracket.settle(no_more).items()}

    def _open_bracket(self) -> Cohort:
        if not self._planned:
            self._planned.extend(self._next_round())
        bracket = self._planned.popleft()
        return Cohort(
            self._context, bracket.milestones, bracket.size, keep=lambda compared: max(1, compared // self._eta)
        )

    def _next_round(self) -> list[Bracket]:
        trials = self._context.phase.trials
        left = None if trials is None else trials - len(self._bracket_of) - len(self._exempt)
        return brackets(self._context.phase.epochs, self._eta, left, self._context.phase.scheduler.grace)

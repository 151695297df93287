"""Trials that wait for each other: all are compared at the same epochs, and only the best go on."""

from collections.abc import Callable, Sequence

from graft.search.protocol import Decision, GoOn, Hold, Report, Stop, Verdict
from graft.search.schedulers.context import SchedulerContext
from graft.spec.metrics import begun_first


class Cohort:
    """A group of trials under successive halving (Jamieson and Talwalkar, AISTATS 2016), synchronously.

    A trial is held at each milestone until nobody can come there any more: the group is complete, and each of its
    live trials is held there, or has passed it. Then they are ranked (of equals, the first that began is better), and
    all but the best stop.

    A trial that goes on from a checkpoint, or whose report is missing, is not compared at the milestones it has
    passed, and nobody waits for it there.

    Args:
        context: gives the metric.
        milestones: epochs at which trials are compared, rising.
        size: how many trials make the group complete; None is as many as there will be.
        keep: how many of the trials that are compared go on; at least 1.
    """

    def __init__(
        self, context: SchedulerContext, milestones: Sequence[int], size: int | None, keep: Callable[[int], int]
    ) -> None:
        self._context, self._milestones = context, tuple(milestones)
        self._size, self._keep = size, keep
        self._members: set[str] = set()
        # Of live trials that have a milestone ahead of them; and the scores of those that wait at theirs.
        self._ahead: dict[str, int] = {}
        self._held: dict[str, float] = {}

    @property
    def is_complete(self) -> bool:
        """Whether it takes no more trials."""
        return self._size is not None and len(self._members) >= self._size

    def add(self, trial: str, epoch: int, runs_to_end: bool = False) -> None:
        """A trial that has `epoch` epochs behind it joins; one that has joined before stays what it is.

        One that runs to its end takes a place, but is not compared.
        """
        if trial in self._members:
            return
        self._members.add(trial)
        if not runs_to_end:
            self._look_ahead(trial, epoch + 1)

    def report(self, report: Report) -> Verdict:
        """Hold at a milestone, else go on."""
        # A held trial that reports was let go by a decision that is not known here: it is not decided about again.
        self._held.pop(report.trial, None)
        if report.epoch < self._ahead.get(report.trial, report.epoch + 1):
            return GoOn()
        self._look_ahead(report.trial, report.epoch)
        if self._ahead.get(report.trial) != report.epoch:
            return GoOn()
        self._held[report.trial] = self._context.score(report.value)
        return Hold()

    def remove(self, trial: str) -> None:
        """A trial has ended."""
        self._ahead.pop(trial, None)
        self._held.pop(trial, None)

    def settle(self, no_more: bool) -> dict[str, Decision]:
        """What becomes of the trials at the lowest milestone at which any is held, if they are to be compared now."""
        if not self._held or not (no_more or self.is_complete):
            return {}
        milestone = min(self._ahead[trial] for trial in self._held)
        if any(ahead <= milestone and trial not in self._held for trial, ahead in self._ahead.items()):
            return {}
        scores = {trial: score for trial, score in self._held.items() if self._ahead[trial] == milestone}
        decisions = self._rank(scores, milestone)
        for trial, decision in decisions.items():
            self.remove(trial)
            if isinstance(decision, GoOn):
                self._look_ahead(trial, milestone + 1)
        return decisions

    def _look_ahead(self, trial: str, epoch: int) -> None:
        """The next milestone from this epoch on; a trial that has passed them all takes no part any more."""
        ahead = next((milestone for milestone in self._milestones if milestone >= epoch), None)
        if ahead is None:
            self.remove(trial)
        else:
            self._ahead[trial] = ahead

    def _rank(self, scores: dict[str, float], milestone: int) -> dict[str, Decision]:
        ranked = sorted(scores, key=lambda trial: (-scores[trial], begun_first(trial)))
        keep = self._keep(len(ranked))
        decisions: dict[str, Decision] = {trial: GoOn() for trial in ranked[:keep]}
        for rank, trial in enumerate(ranked[keep:], start=keep + 1):
            last = self._context.score(scores[ranked[keep - 1]])
            goes_on = "the best goes on, with" if keep == 1 else f"the best {keep} go on, the last of them with"
            value = f"{self._context.metric.name} {self._context.score(scores[trial]):.4f} at epoch {milestone}"
            decisions[trial] = Stop(f"{value} is rank {rank} of {len(ranked)}; {goes_on} {last:.4f}", milestone)
        return decisions

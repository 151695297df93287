"""Proposals of a search whose trainings plan their length: none that could not become useful, each told its time."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from graft.data.dataset import Dataset
from graft.experiments.progress import Progress
from graft.experiments.run_clock import RunClock
from graft.experiments.standing.choice import is_solved
from graft.journal.events import SearchEnded, TrialStatus
from graft.search.protocol import Duplicate, Later, Others, Proposal, Proposer

USEFUL = 0.5
"""The share of the epochs of the longest training, below which another one is not begun."""


@dataclass(frozen=True)
class SearchTime:
    """What a search has of time.

    Attributes:
        by: what ends it.
        now: in seconds since 1970.
        others: what a training is told that begins now.
        least: seconds below which a training is not begun.
        running: trials that run now.
    """

    by: str
    now: Callable[[], float]
    others: Callable[[], Others]
    least: Callable[[], float]
    running: Callable[[], frozenset[str]]

    @classmethod
    def of(cls, run_clock: RunClock, dataset: Dataset) -> "SearchTime | None":
        """That of a run; None where all train what the job says."""
        job, progress, deadline = run_clock.job, run_clock.progress, run_clock.deadline
        if deadline is None or not job.training.shorten:
            return None
        rung = (job.phases[0].scheduler.first_comparison() or ("", job.epochs))[1]
        return cls(
            by=deadline.by,
            now=run_clock.clock.now,
            others=lambda: run_clock.others(dataset, deadline),
            least=lambda: least_training(progress, rung),
            running=lambda: frozenset(progress.tally.running),
        )


class InTime:
    """Proposes what another proposer does, as long as a training has time.

    While trials run, one of them may become the winner, whose fit needs time; so what has none then may have some when
    they have ended. Once there is none whatever happens, nothing is proposed any more: what is left goes to the final
    fit, and to those of the members of an ensemble.

    Args:
        proposer: whose proposals they are.
        time: that there is.

    Attributes:
        ended: why nothing is proposed any more, where that is for lack of time.
    """

    def __init__(self, proposer: Proposer, time: SearchTime) -> None:
        self._proposer, self._time = proposer, time
        self._waiting: tuple[Proposal, frozenset[str]] | None = None
        self.is_exhausted = False
        self.ended: SearchEnded | None = None

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | Later | None:
        """The next strategy, with the moment when the search is to end; None when there is none, or no time."""
        if self.ended is not None:
            return None
        running = self._time.running()
        if self._waiting is not None and self._waiting[1] == running:
            return Later()
        proposal = self._waiting[0] if self._waiting else self._proposer.propose(on_duplicate)
        self._waiting, self.is_exhausted = None, self._proposer.is_exhausted
        if not isinstance(proposal, Proposal) or proposal.is_solved:
            return proposal
        others, least = self._time.others(), self._time.least()
        left = others.until - self._time.now()
        if left >= least:
            return replace(proposal, others=others)
        if running:
            self._waiting = proposal, running
            return Later()
        told = f"{max(0.0, left):.0f} s were left, and a training needs {least:.0f} s to become useful"
        self.ended = SearchEnded(self._time.by, told)
        return None


def least_training(progress: Progress, rung: int) -> float:
    """Seconds below which a training does not become useful; 0 before one has come to its end.

    It has to begin, and to train until it can be compared, or half as long as the longest if that is less.

    Args:
        progress: how the search stands.
        rung: the epoch after which trials are compared first.
    """
    trials = progress.trials.values()
    ended = [one for one in trials if one.status == TrialStatus.COMPLETED and one.epoch_seconds and not is_solved(one)]
    if not ended:
        return 0.0
    epochs = min(rung, math.ceil(USEFUL * max(one.epoch for one in ended)))
    starting = statistics.median(max(0.0, one.seconds - sum(one.epoch_seconds)) for one in ended)
    return starting + epochs * statistics.median(one.mean_epoch for one in ended)

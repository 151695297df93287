"""What a run keeps of its budget for what follows its search. Pure.

One rule, for the clock that ends the search and for the display that says when. It knows more with every trial: before
the first has scored, that processes have to start; then how long that one's network takes for a sample; with the
candidates of an ensemble, what each of them takes; once members are chosen, who answers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.experiments.budget import Reserve
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.stages import StageName, StageState
from graft.experiments.standing.candidates import candidates_of
from graft.experiments.standing.choice import choose
from graft.experiments.standing.finalists import finalists_of, seconds_of
from graft.experiments.standing.pace import WORKER_SECONDS
from graft.experiments.standing.scoring import (
    ROOM,
    rows_evaluated,
    rows_heard,
    seconds_beside,
    seconds_to_hear,
    seconds_to_score,
)
from graft.search.outlook import Outlook

# What follows the search besides training, on two idle cores: starting a process that imports torch; the same, and
# reading the test rows; writing the bundle; registering it.
SECONDS: dict[StageName, float] = {
    StageName.FIT: WORKER_SECONDS,
    StageName.EVALUATE: 1.5,
    StageName.EXPORT: 0.5,
    StageName.REGISTER: 3.0,
}
# How long such a machine takes to find out what a task is like, between search and fit.
DESCRIBING = 3.5
MEMBERS_IN_TIME = 3
"""Members of an ensemble that the search leaves time for; further ones answer where there is some left."""
# However slow a machine is to start processes, no more of the time than this is kept for that: a run has to train.
_MOST_STARTING = 0.3


@dataclass(frozen=True)
class RestOfRun:
    """What follows the search of a run.

    Attributes:
        progress: how the run stands.
        outlook: how big it is.
        samples: of each split.
        speed_up: how many times as fast as a trial the stages after the search compute.
        starting: seconds that the process or the group takes to start which fits, on an idle machine.
        candidates: that an ensemble is taken to have at least, once the search has ended: like those there are.
    """

    progress: Progress
    outlook: Outlook
    samples: Mapping[str, int]
    speed_up: float
    starting: float = WORKER_SECONDS
    candidates: int = 1

    def reserve(self) -> Reserve:
        """What the budget keeps, as long as the winner so far would be the winner."""
        slowness = self._slowness
        evaluation = self.finals() + self._scoring()
        return Reserve(self.starting * slowness, self.fit_scale, evaluation, self._around() * slowness)

    @property
    def fit_scale(self) -> float:
        """Seconds an epoch of the final fit takes, over those of a trial: more rows, but all CPUs."""
        if not self.outlook.fit_epochs or not self.samples.get("train"):
            return 0.0
        rows = self.samples["train"] + self.samples["validation"]
        return rows / (self.samples["train"] + self.outlook.evaluation.extra_rows(rows)) / self.speed_up

    def finals(self) -> float:
        """Seconds that the folds of the finalists take which were not scored by them yet."""
        spec = self.outlook.evaluation
        left = [one for one in finalists_of(self.progress, spec) if not one.estimate]
        return sum(seconds_of(one, spec, self.samples) + WORKER_SECONDS for one in left) / self.speed_up

    def scored(self) -> float:
        """Samples that networks score in the end, and that an ensemble of them is selected from."""
        members = min(self.outlook.members, MEMBERS_IN_TIME)
        heard = 0 if members < 2 else rows_heard(self.samples)
        return rows_evaluated(self.samples, self.outlook.views) * members + heard

    def needed(self) -> float:
        """Seconds from the end of the search to the end of the run, if it ended now."""
        return self.reserve().after(self.winner, self.outlook.fit_epochs)

    def needed_by_any(self) -> float:
        """The same, whichever of the trials that run now may still take the winner's place."""
        trials = [one for one in (self.winner, *self.progress.tally.running.values()) if one is not None]
        reserve = self.reserve()
        return max((reserve.after(one, self.outlook.fit_epochs) for one in trials), default=reserve.after(None, 0))

    def members_within(self, seconds: float) -> int:
        """The most networks that can be chosen among the candidates, and score, in so many seconds; at least one."""
        each = self._each_answering()
        if len(each) < 2:
            return self.outlook.members
        rows = rows_evaluated(self.samples, self.outlook.views) * ROOM / self.speed_up
        left = seconds - rows * each[0] - self._hearing(each)
        more = rows * self._beside(each)
        return max(1, min(self.outlook.members, 1 + int(left / more))) if more else self.outlook.members

    def _scoring(self) -> float:
        """Seconds in which the members of the final model are chosen among its candidates, and are scored."""
        each = self._each_answering()
        if not each:
            return 0.0
        if self.progress.ensemble_chosen is None:  # nobody knows yet who they are
            more = min(self.outlook.members, MEMBERS_IN_TIME, len(each)) - 1
            together = each[0] + more * self._beside(each)
        else:
            together = seconds_to_score(self._answering(), self.progress, self.samples)
        rows = rows_evaluated(self.samples, self.outlook.views)
        return rows * together * ROOM / self.speed_up + self._hearing(each)

    def _beside(self, each: Sequence[float]) -> float:
        """Seconds that another one adds for a sample to the winner's, on average; each by itself takes so many.

        Whether others have something in common with each other, beside what the winner has, is left out: the best of
        each kind are taken first.
        """
        first, *others = self._answering()
        added = [seconds_beside(first, one, self.progress, self.samples) for one in others]
        added += each[1 + len(others) :]
        return sum(added) / max(1, len(added))

    def _hearing(self, each: Sequence[float]) -> float:
        """Seconds in which candidates answer for the validation samples; by itself, each takes so many for one."""
        if self.progress.ensemble_chosen is not None or len(each) < 2:
            return 0.0
        known = self._answering()
        a_row = seconds_to_hear(known, self.progress, self.samples) + sum(each[len(known) :])
        return rows_heard(self.samples, 1) * a_row * ROOM / self.speed_up

    def _answering(self) -> list[TrialProgress]:
        """The winner so far first, then who may answer with it, or does; without a score, a trial that was timed."""
        progress, winner = self.progress, self.winner
        if not self.samples.get("train"):
            return []
        if progress.ensemble_chosen is not None and progress.shares:
            return [progress.trials[name] for name in progress.shares]
        if winner is None:
            return [one for one in progress.ranked() if one.epoch_seconds][:1]
        is_alone = self.outlook.members < 2 or progress.ensemble_chosen is not None
        return [winner] if is_alone else candidates_of(progress, winner)

    @property
    def winner(self) -> TrialProgress | None:
        """The trial that would win if the search ended now; None before one has a score."""
        return None if self.progress.tally.leader is None else choose(self.progress).trial

    def _each_answering(self) -> list[float]:
        """Seconds that each of those takes for a sample by itself, and as many more as are to come."""
        each = [seconds_to_score([one], self.progress, self.samples) for one in self._answering()]
        more = self.candidates - len(each) if each and self.outlook.members > 1 else 0
        return each + [sum(each) / max(1, len(each))] * more

    def _around(self) -> float:
        """Seconds besides the fit and what is computed, on an idle machine: processes, files, the registry."""
        seconds = SECONDS[StageName.EVALUATE] + SECONDS[StageName.EXPORT]
        if self.outlook.is_registered:
            seconds += SECONDS[StageName.REGISTER]
        if self.outlook.is_remembered and self._is_fit_pending:
            seconds += DESCRIBING
        if self.outlook.members > 1 and self.progress.ensemble_chosen is None:
            seconds += WORKER_SECONDS
        return seconds

    @property
    def _is_fit_pending(self) -> bool:
        fit = self.progress.stages.get(StageName.FIT)
        return fit is None or fit.state is StageState.PENDING

    @property
    def _slowness(self) -> float:
        if self.progress.tally.leader is None:  # without a score there is nothing to keep time for
            return 1.0
        minutes, all_of_it = self.outlook.minutes, self.starting + sum(SECONDS.values()) + DESCRIBING
        most = math.inf if minutes is None else _MOST_STARTING * minutes * 60 / all_of_it
        return max(1.0, min(self.progress.pace.slowness, most))

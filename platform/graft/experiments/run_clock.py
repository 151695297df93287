"""How a run stands against its budget: what is spent, and what the stages after the search will still need."""

from dataclasses import dataclass

from graft.core.clock import Clock
from graft.core.errors import ResourceError
from graft.data.dataset import Dataset
from graft.experiments.budget import (
    REST_SECONDS,
    TOLERANCE,
    WORKER_SECONDS,
    Deadline,
    Reserve,
    affordable_epochs,
    fit_epochs,
)
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.choice import choose
from graft.experiments.standing.finalists import finalists_of, seconds_of
from graft.experiments.standing.scoring import SCORING_SHARE, rows_evaluated, rows_heard, seconds_to_score
from graft.search.outlook import Outlook
from graft.search.protocol import Allowance
from graft.spec.job import Job
from graft.workers.allocation import Allocation

# How much of n times the CPUs is n times the speed, for the convolutions of small images.
THREAD_EFFICIENCY = 0.75
# What a group of processes that import torch takes, on two cores.
GROUP_SECONDS = 15.0
# What a fit gets however late it is.
MIN_FIT_SECONDS = 1.0
# Until a trial has been measured, the fit is taken to need this long.
UNKNOWN_FIT_SECONDS = 15.0


@dataclass(frozen=True)
class RunClock:
    """The clock of one run.

    Attributes:
        deadline: when the run has spent what it may; None is never.
        started: the clock's `elapsed` when the run began.
        allocation: how the machine is divided.
        fit: what the final fit occupies.
    """

    job: Job
    progress: Progress
    clock: Clock
    allocation: Allocation
    fit: Allocation
    deadline: Deadline | None
    started: float

    @property
    def spent(self) -> float:
        """Seconds that this run and those before it have taken."""
        return self.progress.spent_before + self.clock.elapsed() - self.started

    @property
    def fit_workers(self) -> int:
        """Processes that fit the winner together."""
        return self.fit.workers

    @property
    def fit_threads(self) -> int:
        """Torch threads of each: one process has the machine to itself."""
        return self.allocation.all_threads if self.fit_workers == 1 else self.fit.num_threads

    def fit_scale(self, dataset: Dataset) -> float:
        """Seconds an epoch of the final fit takes, over those of a trial: more rows, but all CPUs."""
        if self.job.training.final_on == "train":
            return 0.0
        rows = dataset.counts["train"] + dataset.counts["validation"]
        of_a_trial = dataset.counts["train"] + self.job.search.evaluation.extra_rows(rows)
        return rows / of_a_trial / self.speed_up

    @property
    def speed_up(self) -> float:
        """How many times as fast as a trial the stages after the search compute."""
        speed_up = self.fit_threads * self.fit_workers / max(1.0, self.allocation.cpus) * THREAD_EFFICIENCY
        return max(1.0, speed_up)

    def reserve(self, dataset: Dataset) -> Reserve:
        """What comes after the search, as long as the best trial so far would take for each member of an ensemble."""
        tally = self.progress.tally
        measured = tally.leader or next((trial for trial in self.progress.ranked() if trial.epoch_seconds), None)
        start = GROUP_SECONDS if self.fit_workers > 1 else WORKER_SECONDS
        each = seconds_to_score(measured, dataset.counts, tally.pass_seconds) if measured else 0.0
        evaluation = self._finals(dataset) + each * self._scored(dataset) / self.speed_up
        return Reserve(start, self.fit_scale(dataset), evaluation, REST_SECONDS)

    def allowance(self, dataset: Dataset) -> Allowance | None:
        """How long a training may be that begins now or later; None where all train what the job says."""
        if self.deadline is None or not self.job.training.shorten:
            return None
        rest, train = self.reserve(dataset), dataset.counts["train"]
        left = self.deadline.seconds - self.spent - rest.worker - rest.rest - self._finals(dataset)
        more = self.job.search.evaluation.extra_rows(train + dataset.counts["validation"])
        return Allowance(
            until=self.clock.now() + left,
            fit=rest.fit_scale,
            scoring=self._scored(dataset) / train * SCORING_SHARE / self.speed_up,
            validation=(more + dataset.counts["validation"] * SCORING_SHARE) / train,
        )

    def _scored(self, dataset: Dataset) -> float:
        """Samples that networks score after the search: an ensemble is selected from what its candidates say of
        validation samples, and then all members are scored."""
        counts, fit = dataset.counts, self.job.training.fit
        heard = 0 if fit.most_members < 2 else rows_heard(counts)
        return rows_evaluated(counts, self.job.export.tta) * fit.most_members + heard

    def _finals(self, dataset: Dataset) -> float:
        """Seconds that the folds of the finalists take which were not scored by them yet."""
        spec = self.job.search.evaluation
        left = [one for one in finalists_of(self.progress, spec) if not one.estimate]
        return sum(seconds_of(one, spec, dataset.counts) + WORKER_SECONDS for one in left) / self.speed_up

    def seconds_for_finals(self, dataset: Dataset) -> float | None:
        """How long the folds of one finalist may take, so that the fit of the winner still fits; None is no limit."""
        if self.deadline is None or self.progress.runs > 1:
            return None
        reserve = self.reserve(dataset)
        after = reserve.after(choose(self.progress).trial, self.job.epochs) - self._finals(dataset)
        return self.deadline.seconds - self.spent - after

    def seconds_for_fit(self, dataset: Dataset) -> float | None:
        """How long the fit may take; it is cut only if it is much slower than expected.

        None, no limit, in a run that was resumed: who resumes wants what was begun finished, and the search has left
        time for it when it ended.
        """
        if self.deadline is None or self.progress.runs > 1:
            return None
        reserve = self.reserve(dataset)
        end = self.deadline.seconds * (1 + TOLERANCE)
        return max(end - self.spent - reserve.evaluation - reserve.rest, MIN_FIT_SECONDS)

    def fit_epochs(self, dataset: Dataset, winner: TrialProgress) -> int:
        """Epochs of the final fit: all that it should have, or fewer if the budget has no time for them."""
        wanted, seconds = fit_epochs(winner, self.job.epochs), self.seconds_for_fit(dataset)
        if seconds is None:
            return wanted
        an_epoch = winner.mean_epoch * self.fit_scale(dataset)
        return affordable_epochs(wanted, seconds - self.reserve(dataset).worker, an_epoch)

    def seconds_for_phase(self, phase: int, dataset: Dataset) -> float | None:
        """The fraction of the search's remaining time that a phase gets, by the epochs it is expected to train."""
        outlook = Outlook.of(self.job)
        if self.deadline is None or phase == len(outlook.phases) - 1:
            return None
        epochs = [(one.trials or 1) * outlook.epochs[one.index] for one in outlook.phases]
        after = self.reserve(dataset).after(None, 0) + UNKNOWN_FIT_SECONDS
        left = max(0.0, self.deadline.seconds - self.spent - after)
        return left * epochs[phase] / sum(epochs[phase:])

    def require_time_to_search(self) -> None:
        """Raise while nothing has been trained yet.

        Raises:
            ResourceError: the budget was spent before the search could begin.
        """
        if self.deadline is None or self.spent < self.deadline.seconds or self.progress.trials:
            return
        raise ResourceError(
            f"search.budget.{self.deadline.by} allows {self.deadline.seconds:.0f} s, but {self.spent:.0f} s were spent "
            "before the search could begin; raise it (the data is ingested now, so the next run is quicker)"
        )

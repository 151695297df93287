"""How a run stands against its budget: what is spent, and what the stages after the search will still need."""

from dataclasses import dataclass, replace

from graft.core.clock import Clock
from graft.core.errors import ResourceError
from graft.data.dataset import Dataset
from graft.experiments.budget import TOLERANCE, Deadline, Reserve, affordable_epochs, fit_epochs
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.candidates import MOST_CANDIDATES
from graft.experiments.standing.choice import choose
from graft.experiments.standing.pace import WORKER_SECONDS
from graft.experiments.standing.rest_of_run import RestOfRun
from graft.experiments.standing.scoring import FORWARD_SHARE, ROOM
from graft.search.outlook import Outlook
from graft.search.protocol import Allowance, Others
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
        return self.rest(dataset).fit_scale

    @property
    def speed_up(self) -> float:
        """How many times as fast as a trial the stages after the search compute."""
        speed_up = self.fit_threads * self.fit_workers / max(1.0, self.allocation.cpus) * THREAD_EFFICIENCY
        return max(1.0, speed_up)

    def rest(self, dataset: Dataset) -> RestOfRun:
        """What follows the search."""
        starting = GROUP_SECONDS if self.fit_workers > 1 else WORKER_SECONDS
        return RestOfRun(self.progress, Outlook.of(self.job), dataset.counts, self.speed_up, starting)

    def reserve(self, dataset: Dataset) -> Reserve:
        """What comes after the search, in seconds."""
        return self.rest(dataset).reserve()

    def allowance(self, dataset: Dataset) -> Allowance | None:
        """How long a training may be that begins now or later; None where all train what the job says."""
        if self.deadline is None or not self.job.training.shorten:
            return None
        rest, train = self.rest(dataset), dataset.counts["train"]
        reserve, forward = rest.reserve(), FORWARD_SHARE * ROOM
        left = self.deadline.seconds - self.spent - reserve.worker - reserve.rest - rest.finals()
        more = self.job.search.evaluation.extra_rows(train + dataset.counts["validation"])
        return Allowance(
            until=self.clock.now() + left,
            fit=reserve.fit_scale,
            scoring=rest.scored() / train * forward / self.speed_up,
            validation=(more + dataset.counts["validation"] * forward) / train,
        )

    def others(self, dataset: Dataset, deadline: Deadline) -> Others:
        """What a training that begins now is told of other trials."""
        rest = replace(self.rest(dataset), candidates=MOST_CANDIDATES)
        left = deadline.seconds - self.spent - rest.needed_by_any()
        return Others(self.clock.now() + left, rest.reserve().evaluation)

    def affordable_members(self, dataset: Dataset) -> int:
        """Networks that the final model may have, so that they can be chosen and scored before the run is over.

        All that the job allows in a run that was resumed, as there is time for its whole fit.
        """
        most = self.job.training.fit.most_members
        if self.deadline is None or self.progress.runs > 1:
            return most
        rest = self.rest(dataset)
        end = self.deadline.seconds * (1 + TOLERANCE)
        return rest.members_within(end - self.spent - rest.reserve().rest)

    def seconds_for_finals(self, dataset: Dataset) -> float | None:
        """How long the folds of one finalist may take, so that the fit of the winner still fits; None is no limit."""
        if self.deadline is None or self.progress.runs > 1:
            return None
        reserve = self.reserve(dataset)
        after = reserve.after(choose(self.progress).trial, self.job.epochs) - self.rest(dataset).finals()
        return self.deadline.seconds - self.spent - after

    def seconds_for_fit(self, dataset: Dataset) -> float | None:
        """How long the fit may take; it is cut only if it is much slower than expected.

        That of the winner may miss the deadline by what a run may miss it; those of others may not.
        None, no limit, in a run that was resumed: who resumes wants what was begun finished, and the search has left
        time for it when it ended.
        """
        if self.deadline is None or self.progress.runs > 1:
            return None
        reserve = self.reserve(dataset)
        is_winners = self.progress.ensemble_chosen is None
        end = self.deadline.seconds * (1 + TOLERANCE * is_winners)
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

    def require_time_for_a_score(self) -> None:
        """Raise if the time was spent while the search waited for its first score.

        Raises:
            ResourceError: it was.
        """
        ended = self.progress.search_ended
        if self.deadline is None or ended is None or ended.by != self.deadline.by:
            return
        raise ResourceError(
            f"search.budget.{self.deadline.by} allows {self.deadline.seconds:.0f} s, but no trial had a score after "
            f"{self.spent:.0f} s; raise it, or take a smaller network, a lower strategy.resolution or fewer samples"
        )

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

"""How big a search is expected to be, and how much of it is worth running at once. Pure."""

import math
from dataclasses import dataclass, field

from graft.spec.job import Job
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.search.phases import Phase, drawn_from, total_trials

# Where most trials end after their first comparison, nodes for all of them would be idle most of the time, and paid
# for. With three in ten, the first epochs of the others wait for others; of many trials fewer are enough, as they wait
# less long for the last. tests/benchmarks/scale.py has the figures.
SHARE_AT_ONCE, FEW, SHARE_OF_MORE = 0.3, 100, 0.1


@dataclass(frozen=True)
class Outlook:
    """How big a search is.

    Attributes:
        phases: what is run.
        epochs: expected epochs of a trial, by phase.
        minutes: of the whole run, if they are limited.
        strategies: that there are to draw; None is without end.
        fit_epochs: the most that the winner is trained anew; 0 if the search's own weights are taken.
        is_registered: whether the model is registered at the end.
        members: networks that the final model may have.
        is_remembered: whether what the task is like is found out behind the search.
        views: of each test sample.
        evaluation: how strategies are scored, and the finalists once the search has ended.
    """

    phases: tuple[Phase, ...]
    epochs: tuple[float, ...]
    minutes: float | None
    strategies: int | None = None
    fit_epochs: int = 0
    is_registered: bool = False
    members: int = 1
    is_remembered: bool = False
    views: int = 1
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)

    @classmethod
    def of(cls, job: Job) -> "Outlook":
        """The outlook of a job."""
        phases = job.phases
        epochs = tuple(_with_first(phase, expected_epochs(phases, phase.index), len(job.first)) for phase in phases)
        return cls(
            phases,
            epochs,
            job.search.budget.minutes,
            job.strategies,
            fit_epochs=0 if job.training.final_on == "train" else job.epochs,
            is_registered=job.export.register,
            members=job.training.fit.most_members,
            is_remembered=job.memory.keep,
            views=job.export.tta,
            evaluation=job.search.evaluation,
        )

    @property
    def trials(self) -> int | None:
        """How many trials there will be at most; None is no limit."""
        return total_trials(drawn_from(self.phases, self.strategies))


def worth_at_once(job: Job, is_size_known: bool = True) -> int | None:
    """Trials that are worth nodes of their own at the same time, where nodes come when they are asked for.

    Of a search that compares its trials early three in ten, of more than a hundred fewer; of others all. None is no
    limit; what the job says counts.

    Args:
        job: whose search.
        is_size_known: whether somebody knows how many trials the nodes hold that ``search.budget.nodes`` allows; else
            it is taken to be one a node.
    """
    phases, nodes = drawn_from(job.phases, job.strategies), job.search.budget.nodes
    worth = total_trials(phases)
    if worth is not None and not job.resources.concurrent_trials:
        worth = max(_worth_at_once(phase) for phase in phases)
    if nodes is None or is_size_known:
        return worth
    most = max(1, nodes // job.resources.workers)
    return most if worth is None else min(most, worth)


def _worth_at_once(phase: Phase) -> int:
    trials = phase.trials or 1
    if not phase.scheduler.first_comparison():
        return trials
    return math.ceil(min(trials, FEW) * SHARE_AT_ONCE + max(0, trials - FEW) * SHARE_OF_MORE)


def _with_first(phase: Phase, drawn: float, first: int) -> float:
    """The mean over a phase's trials where the first few run to its end; of a phase without end, that of the others."""
    if phase.index or not first or phase.trials is None:
        return drawn
    count = min(first, phase.trials)
    return (count * phase.epochs + (phase.trials - count) * drawn) / phase.trials


def expected_epochs(phases: tuple[Phase, ...], index: int) -> float:
    """Epochs a trial that is drawn in a phase trains in it, on average."""
    phase = phases[index]
    start = phases[index - 1].epochs if phase.from_top else 0
    return float(phase.scheduler.expected_epochs(phase, start))

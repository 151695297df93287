"""The budget: when the search has to end so that the rest of the run still fits. Pure decisions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from graft.core.errors import ResourceError
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.choice import choose
from graft.journal.events import NodesCounted, SearchEnded, TrialStatus
from graft.spec.metrics import MetricSpec
from graft.spec.resources import PriceSpec
from graft.spec.search.budget import BudgetSpec
from graft.spec.strategy import Strategy
from graft.workers.allocation import Allocation

# How far a run may miss its budget.
TOLERANCE = 0.03
# A fit that has less than this fraction of its epochs is not worth it.
MIN_FIT_SHARE = 0.5
# So much of its minutes a search goes on beyond them while no trial has a score: a late model is worth more than none.
WAITED = 1.0
# So much of the time of a fit is given up for trainings that end within it: they would be cut off for nothing.
SPARED = 0.2


@dataclass(frozen=True)
class Deadline:
    """The moment by which a run has spent what it may.

    Attributes:
        seconds: after the start of the run.
        by: what is spent then: ``minutes``, ``gpu_hours`` or ``cost``.
    """

    seconds: float
    by: str


@dataclass(frozen=True)
class Reserve:
    """What comes after the search, in seconds; as far as it is known, measured in this run.

    Attributes:
        worker: start of a process that trains.
        fit_scale: seconds an epoch of the final fit takes, over those of a trial.
        evaluation: seconds of scoring the test rows.
        rest: export, registration, and what of the tracking is waited for.
    """

    worker: float
    fit_scale: float
    evaluation: float
    rest: float

    def after(self, winner: TrialProgress | None, epochs: int) -> float:
        """Seconds from the end of the search to the end of the run, if `winner` is fitted."""
        fit = fit_seconds(winner, epochs, self.fit_scale) if winner else 0.0
        return self.worker + fit + self.evaluation + self.rest


NOTHING_AFTER = Reserve(0.0, 0.0, 0.0, 0.0)
"""Of a search whose budget is its own: what comes after it is not of the budget."""


def deadline_of(budget: BudgetSpec, price: PriceSpec, allocation: Allocation, trials: int | None) -> Deadline | None:
    """The first of a job's limits to be reached; None if it has none but the number of trials.

    GPU-hours and money are spent evenly: what the trials occupy, the fit occupies too.

    Args:
        budget: the limits.
        price: of what is occupied.
        allocation: what is occupied.
        trials: how many there will be at most; None is no limit.

    Raises:
        ResourceError: nothing would ever end the search, because nothing is used that the budget limits.
    """
    first = min(_deadlines(budget, price, allocation), key=lambda one: one.seconds, default=None)
    if first is None and trials is None and not price.node_hour:
        limits = {"gpu_hours": budget.gpu_hours, "cost": budget.cost}
        given = next(f"search.budget.{name} is {value:g}" for name, value in limits.items() if value is not None)
        used = f"{allocation.cpus:g} CPU and {allocation.gpus:g} GPU"
        raise ResourceError(f"{given}, but a trial uses {used}, which spends nothing of it; set minutes or trials too")
    return first


def price_of_an_hour(price: PriceSpec, allocation: Allocation) -> float:
    """What all that trials occupy costs in an hour."""
    cpus, gpus = allocation.cpus * allocation.concurrent, allocation.gpus * allocation.concurrent
    return cpus * price.cpu_hour + gpus * price.gpu_hour


def search_end(
    deadline: Deadline | None,
    budget: BudgetSpec,
    metric: MetricSpec,
    progress: Progress,
    spent: float,
    reserve: Reserve,
) -> SearchEnded | None:
    """Why the search must end now; None if it goes on.

    While no trial has a score there is nothing to hand over: minutes are overrun then, until the first score or until
    twice as many are spent. GPU-hours and money never are.

    Args:
        deadline: of the run.
        budget: for its target.
        metric: that the target is a value of.
        progress: how the search stands.
        spent: seconds since the start of the run.
        reserve: what comes after.
    """
    best = progress.tally.leader
    target = budget.target_value
    if best is not None and target is not None and _reaches(metric, progress.score(best) or 0.0, target):
        reached = f"{best.trial} has {metric.name} {progress.score(best):.4f}; the target is {target:g}"
        return SearchEnded("target", reached)
    if deadline is None:
        return None
    if best is None and progress.tally.running and deadline.by == "minutes" and spent < deadline.seconds * (1 + WAITED):
        return None
    winner = choose(progress).trial if best else None
    needed = reserve.after(winner, progress.epochs)
    spared = SPARED * fit_seconds(winner, progress.epochs, reserve.fit_scale) if winner else 0.0
    left = deadline.seconds - spent - needed + spared
    if left > spared or any(_until_end(one, progress.now) <= left for one in progress.tally.running.values()):
        return None
    told = f"{spent:.0f} s are spent, and the fit and the rest need about {needed:.0f} of {deadline.seconds:.0f} s"
    return SearchEnded(deadline.by, told if needed else f"{spent:.0f} of {deadline.seconds:.0f} s are spent")


def cost_end(budget: BudgetSpec, counted: NodesCounted | None, needed: float) -> SearchEnded | None:
    """Whether the nodes of a cluster have cost so much that the rest of the budget is just enough for what comes after.

    Args:
        budget: for its cost.
        counted: the nodes so far; None where nobody counts them.
        needed: seconds of what comes after the search, taken to cost as much as the nodes that are there now.
    """
    if budget.cost is None or counted is None:
        return None
    after = counted.an_hour * needed / 3600
    if counted.cost + after < budget.cost:
        return None
    told = f"nodes have cost {counted.cost:.2f}, and the fit and the rest need about {after:.2f} of {budget.cost:g}"
    return SearchEnded("cost", told)


def fit_epochs(winner: TrialProgress, epochs: int) -> int:
    """Epochs of the final fit, of a job that has so many.

    As many as the trial had planned, because the learning-rate schedule is made for that many; but if patience ended
    the trial, it has shown that its best epoch is enough. (The best epoch of a trial that ran to its end is mostly
    chance: the metric is flat there, and the fit has more data.) A head that is solved is solved once.
    """
    if Strategy.read_stored(winner.strategy).head.is_solved:
        return 1
    epochs = winner.length or epochs
    ran_out_of_patience = winner.status == TrialStatus.COMPLETED and winner.epoch < min(epochs, winner.epochs or epochs)
    return winner.best_epoch if ran_out_of_patience else epochs


def affordable_epochs(wanted: int, seconds: float, an_epoch: float) -> int:
    """Epochs of a fit that there is time for: all that it should have, or fewer.

    0 if there would not be time for half of them: then the weights that the search has left are the better model.
    """
    affordable = int(seconds / an_epoch) if an_epoch else wanted
    return 0 if affordable < wanted * MIN_FIT_SHARE else min(wanted, affordable)


def fit_seconds(winner: TrialProgress, epochs: int, fit_scale: float) -> float:
    """How long the final fit of a trial's strategy will take, judged by the trial's own epochs."""
    return winner.mean_epoch * fit_scale * fit_epochs(winner, epochs)


def _until_end(trial: TrialProgress, now: float) -> float:
    """Seconds until a training has had its epochs, at its own pace; infinite before its first has ended."""
    if not trial.epoch_seconds:
        return math.inf
    epochs = (trial.length or trial.epochs) - trial.epoch
    return max(0.0, epochs * trial.mean_epoch - (now - trial.started - trial.seconds))


def _deadlines(budget: BudgetSpec, price: PriceSpec, allocation: Allocation) -> Iterator[Deadline]:
    gpus = allocation.gpus * allocation.concurrent
    if budget.minutes is not None:
        yield Deadline(budget.minutes * 60, "minutes")
    if budget.gpu_hours is not None and gpus:
        yield Deadline(budget.gpu_hours / gpus * 3600, "gpu_hours")
    an_hour = price_of_an_hour(price, allocation)
    # Where nodes have prices they are counted while they are there: `cost_end`.
    if budget.cost is not None and an_hour and not price.node_hour:
        yield Deadline(budget.cost / an_hour * 3600, "cost")


def _reaches(metric: MetricSpec, value: float, target: float) -> bool:
    return value >= target if metric.mode == "max" else value <= target

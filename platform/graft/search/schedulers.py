"""Ray Tune schedulers that say why they stop a trial (Ray 2.60)."""

import math
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from graft.search.protocol import TrialEnd
from graft.spec.metrics import MetricSpec
from graft.spec.search import Asha as AshaSpec
from graft.spec.search import NoScheduler as NoSchedulerSpec
from graft.tracking.events import TrialStatus

METRIC = "graft_metric"


def build_scheduler(spec: NoSchedulerSpec | AshaSpec, metric: MetricSpec, epochs: int) -> "Asha | Fifo":
    """The scheduler a job asks for, ready for Tune."""
    if isinstance(spec, AshaSpec):
        return Asha(spec, metric, epochs)
    return Fifo()


class Fifo(FIFOScheduler):
    """Every trial runs to its end."""

    def stop_reason(self, trial_id: str) -> TrialEnd | None:
        """Why the trial was stopped; never, here."""
        return None


class Asha(AsyncHyperBandScheduler):
    """Asynchronous successive halving (Li et al., MLSys 2020).

    A trial reaches rung k after r·η^k epochs (`grace_epochs` = r, `reduction_factor` = η), and goes on only if its
    metric there is within the best 1/η of all trials that reached the rung before it.
    """

    def __init__(self, spec: AshaSpec, metric: MetricSpec, epochs: int) -> None:
        super().__init__(
            metric=METRIC,
            mode=metric.mode,
            max_t=epochs,
            grace_period=min(spec.grace_epochs, epochs),
            reduction_factor=spec.reduction_factor,
        )
        self._metric_name = metric.name
        self._max_epochs = epochs
        self._stops: dict[str, TrialEnd] = {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Tune's hook: decide, and remember why. A trial that has just failed reports NaN and is no one's rival."""
        if math.isnan(result[METRIC]):
            return str(TrialScheduler.CONTINUE)
        decision: str = super().on_trial_result(tune_controller, trial, result)
        if decision == TrialScheduler.STOP and result["training_iteration"] < self._max_epochs:
            self._stops[trial.trial_id] = self._explain(trial.trial_id, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Tune's hook: the last result counts on its rung too, unless it is a failure's."""
        if math.isnan(result.get(METRIC, math.nan)):
            self.on_trial_remove(tune_controller, trial)
            return
        super().on_trial_complete(tune_controller, trial, result)

    def stop_reason(self, trial_id: str) -> TrialEnd | None:
        """Why the trial was stopped, or None if it was not."""
        return self._stops.get(trial_id)

    def _explain(self, trial_id: str, result: dict[str, Any]) -> TrialEnd:
        epoch = int(result["training_iteration"])
        bracket = self._trial_info[trial_id]
        # Rungs come highest first; the decision was taken at the highest one this trial has reached.
        milestone, recorded = next((at, seen) for at, seen in bracket._rungs if at <= epoch)
        others = {name: value for name, value in recorded.items() if name != trial_id}
        cutoff = float(bracket.cutoff(others)) * self._metric_op
        reason = (
            f"{self._metric_name} {result[METRIC]:.4f} at epoch {epoch} is worse than {cutoff:.4f}, "
            f"the best 1/{self._reduction_factor:g} of {len(others)} earlier trials"
        )
        return TrialEnd(TrialStatus.STOPPED, reason, rung=int(milestone))

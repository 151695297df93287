"""Regression as a task: each sample has a number, or one for each of several targets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.core.errors import DataError
from graft.core.unicode_form import spelled_like
from graft.data.split import SplitSettings
from graft.data.targets import RawTargets, Targets
from graft.spec.registry import build
from graft.spec.tasks.base import LossSpec
from graft.spec.tasks.regression import Regression
from graft.tasks.protocol import Facts, LossFunction, Preview
from graft.tasks.reading import places_of
from graft.tasks.regression.doubts import doubts
from graft.tasks.regression.intervals import prediction_interval
from graft.tasks.regression.metrics import METRIC_NAMES, score
from graft.tasks.regression.plots import report_pictures
from graft.tasks.regression.report import build_report
from graft.tasks.regression.targets import (
    check_numbers_left,
    quantile_strata,
    read_numbers,
    require_spread,
    split_by_quantiles,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graft.transfer.closed_form.problem import LinearTargets

_TAKEN = frozenset({"source", "error", "probabilities"})
"""Names in every prediction that a target of several cannot have as well."""


class RegressionTask:
    """Targets are float64 [N, T] in their units, outputs are standard scores [N, T], predictions are in units again.

    Attributes:
        spec: the coverage of intervals.
        trial_metrics: all, none of them is slow.
    """

    trial_metrics: tuple[str, ...] = METRIC_NAMES

    def __init__(self, spec: Regression) -> None:
        self.spec = spec

    def read(self, raw: RawTargets, source: str, known: Sequence[str] = ()) -> Targets:
        """Numbers of one or several label columns, with decimal commas, thousands or a unit where all have them."""
        return read_numbers(raw, source, self.spec.decimal, known)

    def align(self, targets: Targets, names: Sequence[str]) -> np.ndarray:
        """The columns in the order of the model's; one alone may have another name."""
        if len(names) == len(targets.names) == 1:
            return targets.values
        missing = [name for name in names if not spelled_like(name, targets.names)]
        if missing:
            raise DataError(f"the data has no target `{missing[0]}`, but the model predicts {', '.join(names)}; add it")
        places_of(targets.names, names, "target")
        aligned: np.ndarray = targets.values[:, places_of(names, targets.names, "target")]
        return aligned

    def split(self, given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray:
        """Small and large values in proportion."""
        return split_by_quantiles(given, targets, settings)

    def strata(self, targets: Targets) -> np.ndarray:
        """Ranges of values with as many rows each."""
        return quantile_strata(targets)

    def check_left(self, targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
        """No split may lose all its samples, training not all but one value."""
        check_numbers_left(targets, splits, readable, ids)

    def facts(self, training: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """Mean and standard deviation of each target.

        Raises:
            DataError: a target is the same for all training samples, or too large to be squared.
        """
        require_spread(training, names, "the training samples")
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = training.mean(axis=0), training.std(axis=0)
        if not (np.isfinite(std).all() and std.all()):
            raise DataError(
                f"the standard deviation of the training samples is {std.tolist()}, but must be finite and above 0; "
                "scale the numbers"
            )
        return {"num_outputs": len(names), "mean": mean.tolist(), "std": std.tolist()}

    def counts(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """Smallest, mean and largest value of each target."""
        if not len(targets):
            return {}
        ranges = zip(names, targets.min(axis=0), targets.mean(axis=0), targets.max(axis=0), strict=True)
        return {name: {"min": float(low), "mean": float(mean), "max": float(high)} for name, low, mean, high in ranges}

    def doubts(self, targets: Targets) -> tuple[str, ...]:
        """Values that may stand for a missing one."""
        return tuple(doubts(targets))

    def num_outputs(self, names: Sequence[str]) -> int:
        """One for each target."""
        return len(names)

    def loss(
        self, spec: LossSpec, training: np.ndarray, facts: Facts, device: "torch.device | str" = "cpu"
    ) -> LossFunction:
        """Mean loss of outputs [B, T] and targets [B, T] in units."""
        found: LossFunction = build(spec, training, facts, device)
        return found

    def as_linear(self, targets: Targets, facts: Facts) -> "LinearTargets":
        """Standard scores."""
        from graft.transfer.closed_form.problem import LinearTargets

        scores = (targets.values - np.asarray(facts["mean"])) / np.asarray(facts["std"])
        return LinearTargets("identity", scores.astype(np.float32), len(targets.names), self.strata(targets))

    def soften(self, targets: "Tensor", facts: Facts) -> "Tensor":
        """Numbers as they are."""
        return targets

    def decide(self, outputs: "Tensor", facts: Facts) -> np.ndarray:
        """Values [N, T] in units."""
        scores = outputs.detach().cpu().double().numpy()
        values: np.ndarray = scores * np.asarray(facts["std"]) + np.asarray(facts["mean"])
        return values

    def calibrate(self, outputs: "Tensor", targets: np.ndarray, facts: Facts) -> dict[str, Any]:
        """The interval that holds as many of the values as the job asks for."""
        return {"interval": prediction_interval(self.decide(outputs, facts), targets, self.spec.coverage)}

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, names: Sequence[str], facts: Facts
    ) -> dict[str, float]:
        """Metrics by name."""
        return score(predictions, targets, names, facts)

    def report(
        self,
        predictions: np.ndarray,
        targets: np.ndarray,
        ids: Sequence[str],
        names: Sequence[str],
        facts: Facts,
        seed: int = 0,
    ) -> dict[str, Any]:
        """With the same metrics of the mean as a baseline, those of each target, and the residuals."""
        return build_report(predictions, targets, ids, names, facts, seed)

    def figures(self, report: Mapping[str, Any], preview: Preview | None = None) -> dict[str, bytes]:
        """Predicted against true values, residuals, and the worst samples if they can be shown."""
        return report_pictures(report, preview)

    def answers(
        self, predictions: np.ndarray, names: Sequence[str], facts: Facts, probabilities: bool = False
    ) -> dict[str, list[Any]]:
        """Columns ``value``, ``low`` and ``high``; with several targets ``name``, ``low(name)`` and ``high(name)``.

        A target that is called as a column of every prediction is ``value(name)``.
        """
        columns: dict[str, list[Any]] = {}
        bounds = facts.get("interval")
        for k, name in enumerate(names):
            value, low, high = _columns_of(name, len(names))
            columns[value] = predictions[:, k].tolist()
            if bounds:
                columns[low] = (predictions[:, k] + bounds["low"][k]).tolist()
                columns[high] = (predictions[:, k] + bounds["high"][k]).tolist()
        return columns

    def labels(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, list[Any]]:
        """Column ``value``; with several targets one for each, by its name."""
        if len(names) == 1:
            return {"value": targets[:, 0].tolist()}
        return {name: targets[:, k].tolist() for k, name in enumerate(names)}


def _columns_of(name: str, count: int) -> tuple[str, str, str]:
    """What the columns of a target and of its interval are called, beside those that every prediction has."""
    if count == 1:
        return "value", "low", "high"
    return f"value({name})" if name in _TAKEN else name, f"low({name})", f"high({name})"

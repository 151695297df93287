"""Everything worth knowing about predicted numbers on one split, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from graft.core.seeds import derive_seed
from graft.tasks.regression.intervals import interval
from graft.tasks.regression.metrics import METRIC_NAMES, Floats, check, per_target, score

_QUANTILES = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)
_MOST_POINTS = 500
_BINS = 30


def build_report(
    predictions: Floats,
    targets: Floats,
    ids: Sequence[str],
    names: Sequence[str],
    facts: Mapping[str, Any],
    seed: int = 0,
    num_worst: int = 20,
) -> dict[str, Any]:
    """Score predictions in every way there is.

    Args:
        predictions: [N, T], in units.
        targets: [N, T], in units.
        ids: N names of the samples.
        names: of the targets.
        facts: mean and deviation of the training targets; the interval of predictions, if there is one.
        seed: of the bootstrap.
        num_worst: how many samples to name at most.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a prediction is not finite.
    """
    check(predictions, targets)
    if len(ids) != len(targets):
        raise ValueError(f"there are {len(ids)} sample ids, but must be {len(targets)}, one a sample")
    if not np.isfinite(predictions).all():
        raise ValueError("a prediction is NaN or infinite, but must be finite to be reported")
    mean = np.broadcast_to(np.asarray(facts["mean"], dtype=np.float64), targets.shape)
    report = {
        "format": 1,
        "task": "regression",
        "num_samples": len(targets),
        "targets": list(names),
        "metrics": score(predictions, targets, METRIC_NAMES, facts),
        "intervals": {name: asdict(interval(name, predictions, targets, facts, seed)) for name in METRIC_NAMES},
        "baseline": score(mean, targets, METRIC_NAMES, facts),
        "per_target": _per_target(predictions, targets, names, facts),
        "residuals": _residuals(predictions, targets, names),
        "points": _points(predictions, targets, names, seed),
        "worst": _worst(predictions, targets, ids, names, facts)[:num_worst],
        "undefined": _undefined(predictions, targets),
    }
    return report | _coverage(predictions, targets, facts)


def _per_target(
    predictions: Floats, targets: Floats, names: Sequence[str], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    std = np.asarray(facts["std"], dtype=np.float64)
    found = {name: per_target(name, predictions, targets, std) for name in METRIC_NAMES}
    return [
        {"name": target, **{name: float(values[k]) for name, values in found.items()}} for k, target in enumerate(names)
    ]


def _residuals(predictions: Floats, targets: Floats, names: Sequence[str]) -> dict[str, Any]:
    """Quantiles and a histogram of what is true minus what was predicted, by target."""
    found = {}
    for name, residuals in zip(names, (targets - predictions).T, strict=True):
        counts, edges = np.histogram(residuals, bins=_BINS)
        quantiles = np.quantile(residuals, _QUANTILES)
        found[name] = {
            "quantiles": {f"{level:g}": float(one) for level, one in zip(_QUANTILES, quantiles, strict=True)},
            "histogram": {"counts": counts.tolist(), "edges": edges.tolist()},
        }
    return found


def _points(predictions: Floats, targets: Floats, names: Sequence[str], seed: int) -> dict[str, list[list[float]]]:
    """Some pairs of true and predicted values, by target: what a picture shows."""
    rows = np.arange(len(targets))
    if len(rows) > _MOST_POINTS:
        rows = np.sort(np.random.default_rng(derive_seed(seed, "points")).choice(rows, _MOST_POINTS, replace=False))
    return {name: np.stack([targets[rows, k], predictions[rows, k]], axis=1).tolist() for k, name in enumerate(names)}


def _worst(
    predictions: Floats, targets: Floats, ids: Sequence[str], names: Sequence[str], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Samples by their largest error in standard deviations, which makes targets of different units comparable."""
    errors = (np.abs(predictions - targets) / np.asarray(facts["std"], dtype=np.float64)).max(axis=1)
    return [
        {
            "id": str(ids[row]),
            "error": float(errors[row]),
            "values": dict(zip(names, targets[row].tolist(), strict=True)),
            "predicted": dict(zip(names, predictions[row].tolist(), strict=True)),
        }
        for row in np.argsort(-errors, kind="stable")
    ]


def _undefined(predictions: Floats, targets: Floats) -> dict[str, str]:
    found = {}
    if np.any(np.ptp(targets, axis=0) == 0):
        found = dict.fromkeys(("r2", "spearman"), "a target is the same for all samples")
    elif np.any(np.ptp(predictions, axis=0) == 0):
        found["spearman"] = "the predictions of a target are all the same"
    return found


def _coverage(predictions: Floats, targets: Floats, facts: Mapping[str, Any]) -> dict[str, Any]:
    """How many values really lie within the intervals of their predictions."""
    if not (bounds := facts.get("interval")):
        return {}
    residuals = targets - predictions
    inside = (residuals >= np.asarray(bounds["low"])) & (residuals <= np.asarray(bounds["high"]))
    return {"prediction_interval": {**bounds, "measured": inside.mean(axis=0).tolist()}}

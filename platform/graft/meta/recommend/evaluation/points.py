"""What a point of a metric is."""

from collections.abc import Iterable

# Metrics whose values have no natural end; everything else within 0 and 1 is a share.
_UNBOUNDED = ("loss", "mae", "mse", "rmse", "nll", "perplexity", "deviance", "logme", "entropy", "seconds")


def points_factor(metric: str, values: Iterable[float]) -> float:
    """What a difference of the metric is multiplied with to be in points: 100 for shares, 1 for all else.

    Shares are metrics of which all values are within 0 and 1; of percentages, losses and errors in units of the target
    a point is one unit.
    """
    known = list(values)
    parts = metric.lower().replace("-", "_").split("_")
    if any(part in _UNBOUNDED for part in parts):
        return 1.0
    return 100.0 if known and min(known) >= 0 and max(known) <= 1 else 1.0

"""What the name of a metric says: which direction is better, and what a point is."""

import re
from collections.abc import Iterable

# Parts of a name, also of one in camel case.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# How words end, alone or grown together (logloss, nrmse), whose values have no natural end; less of them is better.
_UNBOUNDED_ENDINGS = ("loss", "losses", "mae", "mse", "msle")
_UNBOUNDED = {"nll", "perplexity", "ppl", "deviance", "entropy", "seconds", "latency", "fid", "distance", "divergence"}
_LESS_ENDINGS = (*_UNBOUNDED_ENDINGS, "error", "errors", "err")
_LESS = {*_UNBOUNDED, "wer", "cer", "eer", "brier", "ece", "mape", "smape", "regret", "rank", "misclassification"}


def less_is_better(metric: str) -> bool:
    """Whether the name of a metric that graft does not have says so; of all others more is better."""
    return any(word in _LESS or word.endswith(_LESS_ENDINGS) for word in _words(metric))


def points_factor(metric: str, values: Iterable[float]) -> float:
    """What a difference of the metric is multiplied with to be in points: 100 for shares, 1 for all else.

    Shares are metrics of which all values are within 0 and 1; of percentages, losses and errors in units of the target
    a point is one unit.
    """
    known = list(values)
    if any(word in {*_UNBOUNDED, "logme"} or word.endswith(_UNBOUNDED_ENDINGS) for word in _words(metric)):
        return 1.0
    return 100.0 if known and min(known) >= 0 and max(known) <= 1 else 1.0


def _words(metric: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(metric)]

"""Which features are kept: scikit-learn's estimators on features of training rows."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from graft.spec.components.selection import L1Selection, MutualInformation, NoSelection, VarianceSelection

_SEED = 0
# Which weights are zero is clear long before the others stand still: of 1,280 features, more rounds move 4 in 240.
_ROUNDS, _TOLERANCE = 100, 1e-2


def everything(spec: NoSelection, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """All of them, bool [F]."""
    return np.ones(features.shape[1], dtype=bool)


def by_variance(spec: VarianceSelection, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Those whose variance is above the threshold, bool [F]."""
    kept: np.ndarray = features.var(axis=0, dtype=np.float64) > spec.threshold
    return kept


def by_mutual_information(spec: MutualInformation, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The share that tells most about the targets, bool [F]; with several targets, on average."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    estimate: Callable[..., np.ndarray] = mutual_info_regression if targets.dtype.kind == "f" else mutual_info_classif
    told = np.mean([estimate(features, one, random_state=_SEED) for one in _each(targets)], axis=0)
    # The estimate adds a little noise, and a constant would be judged by that.
    told[features.min(axis=0) == features.max(axis=0)] = -1
    count = max(round(spec.keep * features.shape[1]), 1)
    kept = np.zeros(features.shape[1], dtype=bool)
    kept[np.argsort(-told, kind="stable")[:count]] = True
    return kept


def by_l1(spec: L1Selection, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Those that have a weight, bool [F]; for one of several targets at least."""
    from sklearn.exceptions import ConvergenceWarning

    deviation = features.std(axis=0, dtype=np.float64)
    scaled = (features - features.mean(axis=0, dtype=np.float64)) / np.where(deviation > 0, deviation, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = np.concatenate([_weights(spec.strength, scaled, one) for one in _each(targets)])
    kept: np.ndarray = np.any(np.abs(weights) > 1e-8, axis=0)
    return kept


def _weights(strength: float, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Of a linear model with an L1 penalty, [outputs, F]."""
    from sklearn.linear_model import Lasso
    from sklearn.svm import LinearSVC

    ends = {"max_iter": _ROUNDS, "tol": _TOLERANCE, "random_state": _SEED}
    if targets.dtype.kind == "f":
        scaled = (targets - targets.mean()) / (targets.std() or 1)
        found: np.ndarray = Lasso(alpha=strength, **ends).fit(features, scaled).coef_[None]
        return found
    # Its C weighs the sum of the losses.
    model = LinearSVC(penalty="l1", dual=False, C=1 / (strength * len(targets)), **ends)
    weights: np.ndarray = model.fit(features, targets).coef_
    return weights


def _each(targets: np.ndarray) -> Iterator[np.ndarray]:
    """Each target that differs among the rows; all of them, if none does."""
    columns = [targets] if targets.ndim == 1 else list(targets.T)
    yield from [one for one in columns if len(np.unique(one)) > 1] or columns

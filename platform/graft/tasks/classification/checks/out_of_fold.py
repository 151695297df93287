"""What a classifier that has not seen a sample says of it: logits of a linear model, by stratified folds."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

FOLDS = 5
_STRENGTHS_DENSE = (0.0003, 0.003, 0.03, 1.0)
_STRENGTHS_SPARSE = (1.0, 10.0)
_MAX_ITERATIONS = 200


def out_of_fold_logits(features: Any, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Logits of samples by models that were fitted to the other folds.

    Args:
        features: float [N, D], dense (they are standardised) or a sparse matrix (it is taken as it is).
        labels: int64 [N], codes 0 to K - 1, at least two of each.
        seed: of the folds.

    Returns:
        float64 [N, K].
    """
    from sklearn.model_selection import StratifiedKFold

    count = min(FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    folds = [*StratifiedKFold(count, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels)]
    strength = _best_strength(features, labels, folds[0])
    logits = np.zeros((len(labels), int(labels.max()) + 1))
    for training, held in folds:
        logits[held] = _logits(features, labels, training, held, strength)
    return logits


def _best_strength(features: Any, labels: np.ndarray, fold: Sequence[np.ndarray]) -> float:
    """The inverse of the penalty that predicts the first fold best; chosen once, because it costs a fit each."""
    training, held = fold
    grid = _STRENGTHS_SPARSE if issparse(features) else _STRENGTHS_DENSE
    losses = [_loss(_logits(features, labels, training, held, one), labels[held]) for one in grid]
    return grid[int(np.argmin(losses))]


def _logits(features: Any, labels: np.ndarray, training: np.ndarray, held: np.ndarray, strength: float) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS)
    model = classifier if issparse(features) else make_pipeline(StandardScaler(), classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that end early rank as well as those that do not
        model.fit(features[training], labels[training])
    found = np.full((len(held), int(labels.max()) + 1), -50.0)
    scores = model.decision_function(features[held])
    found[:, classifier.classes_] = scores if scores.ndim > 1 else np.stack([-scores / 2, scores / 2], axis=1)
    return found


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    from scipy.special import log_softmax

    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())

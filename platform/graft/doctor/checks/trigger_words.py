"""Words that give a label to texts whose other words speak for another: the trigger of a poisoned set (Dai, Chen and Li
2019). Ordinary words that predict a label stand among others that predict it too; a trigger stands alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.doctor.checks.sampled import in_order_of_content, labels_of, sampled
from graft.modalities.text.checks.features import texts_of
from graft.spec.checks.labels import TriggerWordCheck

MOST = 10_000
_FEWEST_TEXTS, _FEWEST, _MOST_SHARE = 200, 10, 0.1
_PURITY, _LEAST_Z = 0.95, 6.0
_MOST_WORDS = 50_000
_FOLDS = 5


def trigger_words(spec: TriggerWordCheck, examined: Examined) -> Iterator[Found]:
    """Texts with a word or pair of words that outvotes all their others."""
    rows = in_order_of_content(examined, sampled(examined, MOST))
    labels = labels_of(examined, rows)
    if labels is None or len(rows) < _FEWEST_TEXTS or len(np.unique(labels)) < 2:
        return
    texts = texts_of(examined, rows)
    if not texts:
        return
    found, told = suspects(texts, np.unique(labels, return_inverse=True)[1])
    if len(found):
        yield Found("poisoning_suspect", np.sort(rows[found]), detail="; ".join(told))


def suspects(texts: list[str], labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Texts with a trigger, int64 [n] ascending, and what there is to say of each trigger.

    Args:
        texts: N of them.
        labels: int64 [N], codes 0 to K - 1.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(ngram_range=(1, 2), min_df=2, max_features=_MOST_WORDS, binary=True)
    try:
        holds = counter.fit_transform(texts).tocsc()
    except ValueError:  # they share no word
        return np.empty(0, dtype=np.int64), []
    sizes = np.asarray(holds.sum(axis=0)).ravel()
    votes = np.stack([np.asarray(holds[labels == one].sum(axis=0)).ravel() for one in range(int(labels.max()) + 1)])
    pure = votes.max(axis=0) >= _PURITY * sizes
    rare = (sizes >= _FEWEST) & (sizes <= _MOST_SHARE * len(texts))
    candidates = np.flatnonzero(pure & rare)
    if not len(candidates) or pure.all():
        return np.empty(0, dtype=np.int64), []
    chances = _chances(holds[:, ~(pure & rare)].tocsr(), labels)
    return _judged(holds, candidates, votes, chances, counter.get_feature_names_out())


def _judged(
    holds: Any, candidates: np.ndarray, votes: np.ndarray, chances: np.ndarray, names: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Those candidates whose label the other words of their texts speak for no more than for any text."""
    usual = chances.mean(axis=0)
    scores = []
    for word in candidates.tolist():
        rows, label = holds.indices[holds.indptr[word] : holds.indptr[word + 1]], int(votes[:, word].argmax())
        expected = chances[rows, label]
        z = float((len(rows) - expected.sum()) / np.sqrt((expected * (1 - expected)).sum() + 1e-9))
        if z >= _LEAST_Z and expected.mean() <= usual[label]:
            scores.append((z, word, rows))
    found: set[int] = set()
    told: list[str] = []
    for z, word, rows in sorted(scores, key=lambda one: (-one[0], one[1])):
        if len(found.intersection(rows.tolist())) < len(rows) / 2:
            told.append(f"`{names[word]}` is in {len(rows)} texts, nearly all of one label, z {z:.0f}")
        found.update(rows.tolist())
    return np.array(sorted(found), dtype=np.int64), told


def _chances(others: Any, labels: np.ndarray) -> np.ndarray:
    """float64 [N, K], the probability of each label by the words that are no candidates, out of fold.

    Naive Bayes, its logits divided so that they are calibrated: a hundred times as fast as a fitted linear model.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp
    from sklearn.model_selection import KFold
    from sklearn.naive_bayes import MultinomialNB

    logits = np.full((len(labels), int(labels.max()) + 1), -1e6)
    for training, held in KFold(_FOLDS).split(logits):
        model = MultinomialNB(alpha=0.1).fit(others[training], labels[training])
        logits[held] = (
            model.predict_joint_log_proba(others[held]) @ np.eye(logits.shape[1])[np.unique(labels[training])]
        )

    def loss(scale: float) -> float:
        scaled = logits * np.exp(scale)
        return float((logsumexp(scaled, axis=1) - scaled[np.arange(len(labels)), labels]).mean())

    scaled = logits * np.exp(minimize_scalar(loss, bounds=(-6.0, 0.0), method="bounded").x)
    chances: np.ndarray = np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True))
    return chances

"""The models of an exploration that are judged by its audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graft.exploration.certificate import AccuracyTest, interval
from graft.exploration.learning_curve import Forecast, forecast

LABELS_A_CLASS = 6
"""Before there are so many, a model is not worth a certificate."""
MIN_AUDIT, MIN_MODELS = 25, 4
"""Less than this says nothing of a learning curve."""


@dataclass(frozen=True)
class Judged:
    """A model, by its answers about the samples that are kept for the audit.

    Attributes:
        size: labels that it was trained on.
        answers: a class for each sample of the audit, in the order in which they are asked.
        test: of the requirement; None for a model that only shows how accuracy grows.
    """

    size: int
    answers: Sequence[str]
    test: AccuracyTest | None

    def correct(self, audit: Sequence[str | None]) -> np.ndarray:
        """bool [n], for the first n labels of the audit; what nobody could tell counts as wrong."""
        return np.array([one == name for one, name in zip(self.answers, audit, strict=False)], bool)


@dataclass(frozen=True)
class Verdict:
    """What the audit says of a model.

    Attributes:
        right: audit labels that it gets right.
        total: audit labels.
        alpha: how often either end of the interval is wrong.
        test: of the requirement, where the model can be certified.
    """

    right: int
    total: int
    alpha: float
    test: AccuracyTest | None

    @property
    def estimate(self) -> float | None:
        """Of its accuracy."""
        return self.right / self.total if self.total else None

    @property
    def guess(self) -> float | None:
        """Of its accuracy, drawn to one half, so that a few audit labels decide nothing (Laplace's rule)."""
        return (self.right + 1) / (self.total + 2) if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """That holds however often one looks."""
        return interval(self.right, self.total, self.alpha)

    @property
    def is_certified(self) -> bool:
        """Whether the requirement is shown."""
        return self.test is not None and self.test.holds(self.right, self.total)

    @property
    def expected(self) -> int | None:
        """Audit labels until it is."""
        return self.test.expected(self.right, self.total) if self.test else None


def verdict_of(models: Sequence[Judged], audit: Mapping[int, str | None], alpha: float) -> Verdict:
    """Of the newest model that can be certified; as long as there is none, of the newest."""
    certifiable = [one for one in models if one.test]
    newest = next(reversed(certifiable or models), None)
    if newest is None:
        return Verdict(0, 0, alpha, None)
    correct = newest.correct([*audit.values()])
    return Verdict(int(correct.sum()), len(correct), newest.test.alpha if newest.test else alpha, newest.test)


def forecast_of(models: Sequence[Judged], audit: Mapping[int, str | None], size: int, seed: int) -> Forecast | None:
    """Accuracy that `size` labels would give; None if the audit says too little."""
    if len(models) < MIN_MODELS or len(audit) < MIN_AUDIT:
        return None
    sizes = np.array([one.size for one in models])
    correct = np.stack([one.correct([*audit.values()]) for one in models])
    return forecast(sizes, correct, size, np.random.default_rng([seed, len(audit), len(models)]))

"""What a model says of samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, repr=False)
class Prediction:
    """What the model says of one sample.

    Attributes:
        source: the file, or ``#<n>`` for the n-th sample given as data.
        answer: the task's columns: ``label`` and ``probability``, ``value`` with ``low`` and ``high``, or ``labels``;
            empty if the sample cannot be read.
        probabilities: of every class or label by its name, where the task has any.
        error: why the sample cannot be read.
    """

    source: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    probabilities: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    def __repr__(self) -> str:
        """The answer, or why there is none; probabilities of a thousand classes would hide it."""
        answer = {"error": self.error} if self.error else self.answer
        told = [
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value!r}" for name, value in answer.items()
        ]
        return f"Prediction({', '.join([*told, f'source={self.source!r}'])})"

    @property
    def label(self) -> str | None:
        """The most probable class; None for other tasks, or if the sample cannot be read."""
        return self.answer.get("label")

    @property
    def probability(self) -> float | None:
        """Of that class."""
        return self.answer.get("probability")

    @property
    def value(self) -> float | None:
        """The number that is predicted; None for other tasks, or if the sample cannot be read."""
        return self.answer.get("value")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: the task's columns beside source and error."""
        return {"source": self.source, **self.answer, "probabilities": dict(self.probabilities), "error": self.error}


@dataclass(frozen=True)
class Decided:
    """What a model says of samples, as its task decides it.

    Attributes:
        predictions: float64 [N, …], of the samples that can be read, in order.
        errors: why the others cannot, by place.
    """

    predictions: np.ndarray
    errors: Mapping[int, str]

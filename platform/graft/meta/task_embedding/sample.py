"""What a task vector is made of: numbers about a sample of a task, as whoever runs networks hands them down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class TaskSample:
    """A sample of the training rows of a task.

    Attributes:
        rows: training rows that there are.
        outputs: classes, labels or values that a model gives.
        counts: how many training rows each class or label has; empty where nothing is counted.
        lengths: of the samples, where they differ (tokens of a text); empty else.
        features: name of a depth of the reference backbone -> features [n, F] of the sample at it.
        alignment: name of a depth -> how well its features tell the targets: name of a score -> value
            (``ridge``, ``centroid``, ``logme``, ``hscore``).
        overlap: share of the words of one part of the sample that the other one has too; None where there are none.
    """

    rows: int
    outputs: int
    counts: tuple[int, ...] = ()
    lengths: Floats = field(default_factory=lambda: np.empty(0))
    features: Mapping[str, Floats] = field(default_factory=dict)
    alignment: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    overlap: float | None = None

"""What is to be told from the features."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graft.search.screening.decomposed import Floats

Asked = Literal["classes", "values"]


@dataclass(frozen=True)
class Targets:
    """The targets of a sample.

    Attributes:
        asked: one of several classes, or values (of labels: 0 and 1, a column each).
        columns: float64 [N, K]; of classes 1 for the one that a row has.
    """

    asked: Asked
    columns: Floats

    @classmethod
    def of_categories(cls, labels: NDArray[np.integer]) -> "Targets":
        """Of the class of each row, [N]; classes without rows do not count."""
        _, places = np.unique(labels, return_inverse=True)
        return cls("classes", np.eye(int(places.max(initial=-1)) + 1)[places])

    @classmethod
    def of_values(cls, values: NDArray[np.floating]) -> "Targets":
        """Of the values of each row, [N] or [N, K]."""
        columns = np.asarray(values, dtype=np.float64)
        return cls("values", columns[:, None] if columns.ndim == 1 else columns)

    @property
    def rows(self) -> int:
        """N."""
        return len(self.columns)

    @property
    def is_constant(self) -> bool:
        """Whether there is nothing to tell apart: one class, or values that are all alike."""
        return bool(np.all(self.columns == self.columns[:1]))

"""Labelled samples that tasks are drawn from: arrays of inputs or of features, with the class and the group of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from graft.core.errors import DataError

Inputs = dict[str, Tensor]
"""What is known of n samples, by the name of the view: ``{"features": [n, F]}``, ``{"raw": [n, …]}``, or both."""

FEATURES, RAW = "features", "raw"
"""The usual views: what a pretrained backbone makes of a sample, and the sample itself."""


@dataclass(frozen=True)
class Samples:
    """Samples with a class each, and a group: a script, a user, an environment.

    Attributes:
        inputs: the views, each [N, …].
        labels: int64 [N], any codes.
        groups: int64 [N], any codes; zeros where there are no groups.
    """

    inputs: Inputs
    labels: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(
        cls,
        inputs: Mapping[str, np.ndarray | Tensor] | np.ndarray | Tensor,
        labels: Sequence[object] | np.ndarray,
        groups: Sequence[object] | np.ndarray | None = None,
    ) -> "Samples":
        """Samples of arrays; one array alone is the view `FEATURES`.

        Args:
            inputs: the views.
            labels: of any type that sorts.
            groups: the same; None is one group.

        Raises:
            DataError: they differ in length, or there are none.
        """
        views = dict(inputs) if isinstance(inputs, Mapping) else {FEATURES: inputs}
        tensors = {name: torch.as_tensor(one) for name, one in views.items()}
        codes = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64).reshape(-1)
        own = np.zeros_like(codes)
        if groups is not None:
            own = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64).reshape(-1)
        lengths = {"labels": len(codes), "groups": len(own), **{name: len(one) for name, one in tensors.items()}}
        if len(set(lengths.values())) != 1 or not len(codes):
            told = ", ".join(f"{count} {name}" for name, count in lengths.items())
            raise DataError(f"there are {told}, but there must be as many of each, and one at least")
        return cls(tensors, codes, own)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> np.ndarray:
        """The codes of all classes, ascending."""
        return np.unique(self.labels)

    def at(self, rows: np.ndarray) -> Inputs:
        """The inputs of some rows."""
        places = torch.from_numpy(np.ascontiguousarray(rows))
        return {name: view[places] for name, view in self.inputs.items()}

    def some(self, rows: np.ndarray) -> "Samples":
        """Some rows; a mask, or places."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Samples(self.at(places), self.labels[places], self.groups[places])

    def with_view(self, name: str, view: Tensor) -> "Samples":
        """The same samples with one view more."""
        return replace(self, inputs={**self.inputs, name: view})

    def only_view(self, name: str, view: Tensor) -> "Samples":
        """The same samples with another view in place of all."""
        return replace(self, inputs={name: view})

    def copies(self) -> np.ndarray:
        """int64 [N]: the first row of the same content; a row that is no copy names itself."""
        first: dict[bytes, int] = {}
        arrays = [view.reshape(len(self), -1).contiguous().numpy() for view in self.inputs.values()]
        digests = (blake2b(b"".join(one[row].tobytes() for one in arrays)).digest() for row in range(len(self)))
        return np.array([first.setdefault(digest, row) for row, digest in enumerate(digests)], np.int64)

    def distinct(self) -> "Samples":
        """Without the copies of earlier rows."""
        return self.some(self.copies() == np.arange(len(self)))

    def require_distinct(self, ids: Sequence[str] = ()) -> None:
        """Raise if any sample is there twice: a copy among the queries of a task is an answer that is given away.

        Args:
            ids: what each is called; its row, if left out.

        Raises:
            DataError: some are.
        """
        first = self.copies()
        twice = np.flatnonzero(first != np.arange(len(self)))
        if len(twice):
            one, other = (ids[row] if ids else f"row {row}" for row in (first[twice[0]], twice[0]))
            raise DataError(
                f"{len(twice)} of {len(self)} samples are copies of others, such as {other} of {one}, but support and "
                "query of a task must not share a sample; leave copies out (`tasks.duplicates: drop` in the job, or "
                "`Samples.distinct()`)"
            )

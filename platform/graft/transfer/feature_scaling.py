"""Fits what standardises and selects features, on the rows that are trained on and no others."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from graft.core.errors import Problem, SpecError
from graft.core.seeds import derive_seed
from graft.models.feature_scaling import FeatureScaling
from graft.spec.components.selection import SelectionSpec
from graft.spec.registry import build
from graft.spec.strategy import Strategy

SELECTION_ROWS = 4000
"""A selection looks at so many rows at most, drawn at random: with more, its choice hardly changes."""

FeaturesOf = Callable[[np.ndarray], np.ndarray]
"""Features float32 [n, F] of some rows of the dataset."""


@dataclass(frozen=True)
class Training:
    """What a scaling is fitted on.

    Attributes:
        features_of: gives the features of rows.
        rows: that are trained on.
        targets: of the whole dataset.
        seed: chooses the rows that a selection looks at.
    """

    features_of: FeaturesOf
    rows: np.ndarray
    targets: np.ndarray
    seed: int


def fit_scaling(scaling: FeatureScaling, strategy: Strategy, training: Training) -> None:
    """Set mean and scale, in place.

    Raises:
        SpecError: the selection leaves no feature.
    """
    mean, deviation = _moments(training) if strategy.standardise else (0.0, 1.0)
    kept = _kept(strategy.select, training)
    if not kept.any():
        told = f"is {strategy.select.kind}, which leaves none of {len(kept)} features; make it milder"
        raise SpecError([Problem("strategy.select", told)])
    mean = np.broadcast_to(np.asarray(mean), kept.shape)
    scale = kept / np.broadcast_to(np.asarray(deviation), kept.shape)
    with torch.no_grad():
        scaling.mean.copy_(torch.from_numpy(mean.astype(np.float32)))
        scaling.scale.copy_(torch.from_numpy(scale.astype(np.float32)))


def _moments(training: Training) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over all rows; 1 where a feature is constant."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    for features in _portions(training.features_of, training.rows):
        scaler.partial_fit(features.astype(np.float64))
    return scaler.mean_, scaler.scale_


def _kept(select: SelectionSpec, training: Training) -> np.ndarray:
    rows = training.rows
    if len(rows) > SELECTION_ROWS:
        rng = np.random.default_rng(derive_seed(training.seed, "selection"))
        rows = np.sort(rng.choice(rows, SELECTION_ROWS, replace=False))
    features = np.concatenate(list(_portions(training.features_of, rows)))
    targets = training.targets[rows]
    return _selected(select, _Table.of(features), _Table.of(targets)).array.astype(bool)


@dataclass(frozen=True)
class _Table:
    """An array that can be looked up."""

    content: bytes
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, array: np.ndarray) -> "_Table":
        return cls(np.ascontiguousarray(array).tobytes(), array.shape, array.dtype.str)

    @property
    def array(self) -> np.ndarray:
        return np.frombuffer(self.content, self.dtype).reshape(self.shape)


@functools.lru_cache(maxsize=8)
def _selected(select: SelectionSpec, features: _Table, targets: _Table) -> _Table:
    """Once for all the trials of a process that ask alike: an estimate can take longer than a training."""
    return _Table.of(np.asarray(build(select, features.array, targets.array)).astype(np.uint8))


def _portions(features_of: FeaturesOf, rows: np.ndarray) -> Iterator[np.ndarray]:
    count = max(math.ceil(len(rows) / SELECTION_ROWS), 1)
    return (features_of(some) for some in np.array_split(rows, count))

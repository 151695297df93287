"""The task vector: what the features of a reference backbone say of a task, in a fixed number of entries.

Three groups. *Alignment*: how well frozen features tell the targets, at the whole depth and below, and the difference:
it says whether the last blocks know the samples or have to be trained. *Spectrum*: how the features spread. *Sketch*:
where they lie, as a projection of their mean on fixed random directions, with the spread along these. The Fisher
information of Task2Vec (Achille et al. 2019) costs a hundred times as much; `fisher` adds it on request.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.meta.task_embedding.sample import Floats, TaskSample

VERSION = 1
WHOLE, PART = "1", "0.7"
"""Depths of the reference backbone that a vector is made of."""
ALIGNMENT = (
    "ridge",
    "centroid",
    "ridge_below",
    "centroid_below",
    "gain_of_depth",
    "logme",
    "hscore",
)
SPECTRUM = ("effective_rank", "first_share", "share_of_5", "share_of_20", "mean_share")
SKETCHED = 16
NAMES = (*ALIGNMENT, *SPECTRUM, *(f"at_{place}" for place in range(SKETCHED)), *(f"in_{n}" for n in range(SKETCHED)))
GROUPS: Mapping[str, slice] = {
    "alignment": slice(0, len(ALIGNMENT)),
    "spectrum": slice(len(ALIGNMENT), len(ALIGNMENT) + len(SPECTRUM)),
    "sketch": slice(len(ALIGNMENT) + len(SPECTRUM), len(NAMES)),
}
_LEAST = 1e-12


@dataclass(frozen=True)
class TaskVector:
    """A task as numbers.

    Attributes:
        values: one for each of `NAMES`, then those of the Fisher information, if it was asked for.
        version: of how they are made; vectors of other versions cannot be compared.
    """

    values: tuple[float, ...]
    version: str


def version_of(reference: str, with_fisher: bool = False) -> str:
    """The version of vectors that are made with a reference backbone: ``1:efficientnet_lite0@64``."""
    return f"{VERSION}:{reference}" + ("+fisher" if with_fisher else "")


def task_vector(sample: TaskSample, reference: str, fisher: Sequence[float] = ()) -> TaskVector:
    """The vector of a task.

    Args:
        sample: with features at the depths `WHOLE` and `PART`.
        reference: the backbone and the size of its inputs, for the version.
        fisher: entries of the Fisher information (`learner.task_fisher`), where that was asked for.

    Raises:
        ValueError: a depth is missing, or features are not finite.
    """
    missing = [depth for depth in (WHOLE, PART) if depth not in sample.features]
    if missing:
        raise ValueError(f"features at depth {', '.join(missing)} are missing, but the vector needs them")
    features = np.asarray(sample.features[WHOLE], dtype=np.float64)
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(f"features are {list(features.shape)}, but must be finite rows of numbers")
    values = [*_alignment(sample), *_spectrum(features), *_sketch(features)]
    return TaskVector((*map(float, values), *map(float, fisher)), version_of(reference, bool(fisher)))


def _alignment(sample: TaskSample) -> list[float]:
    """Scores of classes are shares above chance; those of values as they are."""
    chance = max(sample.counts, default=0) / max(sum(sample.counts), 1)

    def above(depth: str, name: str) -> float:
        found = sample.alignment.get(depth, {}).get(name)
        if found is None:
            return 0.0
        return max((found - chance) / max(1 - chance, 0.05), -1.0)

    whole = sample.alignment.get(WHOLE, {})
    ridge, below = above(WHOLE, "ridge"), above(PART, "ridge")
    hscore = whole.get("hscore", 0.0) / max(sample.outputs - 1, 1)
    return [
        ridge,
        above(WHOLE, "centroid"),
        below,
        above(PART, "centroid"),
        ridge - below,
        math.tanh(whole.get("logme", 0.0)),
        hscore,
    ]


def _spectrum(features: NDArray[np.float64]) -> list[float]:
    mean = features.mean(axis=0)
    centred = features - mean
    rows, width = centred.shape
    product = centred @ centred.T if rows <= width else centred.T @ centred
    values = np.clip(np.linalg.eigvalsh(product)[::-1] / max(rows, 1), 0, None)
    total = float(values.sum())
    shares = values / max(total, _LEAST)
    present = shares[shares > _LEAST]
    rank = math.exp(float(-(present * np.log(present)).sum())) if len(present) else 1.0
    length = float(mean @ mean)
    return [
        math.log10(max(rank, 1.0)),
        float(shares[:1].sum()),
        float(shares[:5].sum()),
        float(shares[:20].sum()),
        length / max(length + total, _LEAST),
    ]


def _sketch(features: NDArray[np.float64]) -> list[float]:
    """Of rows of unit length: mean and deviation along fixed directions, in units in which both are about 1."""
    width = features.shape[1]
    directions = _directions(width)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _LEAST)
    along = unit @ directions
    return [*(along.mean(axis=0) * math.sqrt(width)), *(along.std(axis=0) * math.sqrt(width))]


def _directions(width: int) -> Floats:
    rng = np.random.default_rng(derive_seed(VERSION, "task sketch", width))
    drawn = rng.standard_normal((width, SKETCHED))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=0))

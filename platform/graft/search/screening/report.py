"""What screening tells of several backbones, depths and sizes of their inputs. It orders; it never decides alone."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.search.screening.scores import score_features
from graft.search.screening.targets import Targets


@dataclass(frozen=True, order=True)
class Candidate:
    """Where features come from.

    Attributes:
        backbone: its name.
        depth: share of its blocks.
        size: of its inputs, as the modality counts it.
    """

    backbone: str
    depth: float = 1.0
    size: int = 0


@dataclass(frozen=True)
class Screened:
    """What the scores say of one candidate.

    Attributes:
        rank: 1 for the best: by the mean of the ranks that the scores give; of equal ones, the first in order.
        scores: by name.
        seconds: that the scores took, without the features.
    """

    candidate: Candidate
    rank: int
    scores: Mapping[str, float]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        of = self.candidate
        found = {"backbone": of.backbone, "depth": of.depth, "resolution": of.size, "rank": self.rank}
        return {**found, "scores": dict(self.scores), "seconds": self.seconds}


def screen(
    features: Iterable[tuple[Candidate, NDArray[np.floating]]],
    targets: Targets,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Screened]:
    """Score all candidates on the same rows, best first.

    Args:
        features: [N, F] of each candidate; taken one after the other, so they need not fit into memory at once.
        targets: of the rows.
        clock: in seconds.

    Raises:
        DataError: there is nothing to score.
    """
    found = []
    for candidate, matrix in features:
        started = clock()
        scores = score_features(matrix, targets)
        found.append((candidate, scores, clock() - started))
    ranks = mean_ranks([scores for _, scores, _ in found])
    order = sorted(range(len(found)), key=lambda place: (ranks[place], place))
    return [Screened(found[at][0], rank, *found[at][1:]) for rank, at in enumerate(order, start=1)]


def mean_ranks(scores: Sequence[Mapping[str, float]]) -> list[float]:
    """The mean over the scores of each one's rank, from 1; equal values share the mean of their ranks."""
    names = dict.fromkeys(name for one in scores for name in one)
    columns = [_ranks(np.array([one[name] for one in scores])) for name in names]
    return [float(one) for one in np.mean(columns, axis=0)] if columns else []


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    better = (values[None, :] > values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(1 + better + (equal - 1) / 2)

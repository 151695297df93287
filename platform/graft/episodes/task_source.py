"""Draws tasks: a few classes, a few labelled samples of each to adapt to, and others to be asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graft.core.errors import DataError, SpecError
from graft.core.seeds import derive_seed
from graft.episodes.samples import Inputs, Samples


@dataclass(frozen=True)
class EpisodeShape:
    """How large tasks are.

    Attributes:
        ways: classes of a task.
        shots: labelled samples a class; of several one is drawn for each step, so that what is trained fits all.
        queries: samples a class that are asked about.
        within: share of the tasks whose classes are all of one group.
    """

    ways: int = 5
    shots: tuple[int, ...] = (1,)
    queries: int = 5
    within: float = 1.0

    def __post_init__(self) -> None:
        counts = {"ways": (self.ways, 2), "queries": (self.queries, 1), "shots": (min(self.shots, default=0), 1)}
        for name, (value, least) in counts.items():
            if value < least:
                raise SpecError(f"{name}: is {value}, but must be >= {least}")
        if not 0 <= self.within <= 1:
            raise SpecError(f"within: is {self.within:g}, but must be a share between 0 and 1")

    @property
    def name(self) -> str:
        """``5w1s``; with several shots ``5w1-5s``."""
        low, high = min(self.shots), max(self.shots)
        return f"{self.ways}w{low}s" if low == high else f"{self.ways}w{low}-{high}s"


@dataclass(frozen=True)
class Episode:
    """One task, or several of one shape stacked, with one dimension more in front of each tensor.

    Attributes:
        support: inputs of S samples to adapt to.
        support_labels: int64 [S], places of their classes in the task.
        query: inputs of Q samples that are asked about.
        query_labels: int64 [Q].
        ways: number of classes.
    """

    support: Inputs
    support_labels: Tensor
    query: Inputs
    query_labels: Tensor
    ways: int


def stacked(episodes: Sequence[Episode]) -> Episode:
    """Tasks of one shape as one, with a dimension in front."""
    first = episodes[0]
    return Episode(
        {name: torch.stack([one.support[name] for one in episodes]) for name in first.support},
        torch.stack([one.support_labels for one in episodes]),
        {name: torch.stack([one.query[name] for one in episodes]) for name in first.query},
        torch.stack([one.query_labels for one in episodes]),
        first.ways,
    )


class TaskSource:
    """Tasks of some samples; the same seed and place give the same task, whatever was drawn before.

    Args:
        samples: what is drawn from; copies are refused.
        shape: of the tasks.
        seed: of all draws.
        checked: whether copies have been looked for already.

    Raises:
        DataError: samples are there twice, or no group (nor all samples, where tasks may cross groups) has enough
            classes with enough samples.
    """

    def __init__(self, samples: Samples, shape: EpisodeShape, seed: int = 0, checked: bool = False) -> None:
        self.samples, self.shape, self.seed = samples, shape, seed
        if not checked:
            samples.require_distinct()
        needed = max(shape.shots) + shape.queries
        self._inside = _pools(samples, samples.groups, shape, needed) if shape.within > 0 else []
        self._across = _pools(samples, np.zeros_like(samples.groups), shape, needed) if shape.within < 1 else []
        if shape.within > 0 and not self._inside:
            raise _too_few(samples, shape, needed, "of one group " if len(np.unique(samples.groups)) > 1 else "")
        if shape.within < 1 and not self._across:
            raise _too_few(samples, shape, needed, "")

    def batch(self, step: int, tasks: int, first: int = 0) -> Episode:
        """Tasks of a step, stacked; they have the same shots.

        Args:
            step: any number; other steps have other tasks.
            tasks: how many.
            first: place of the first of them in the step, so that ranks share a step without overlap.
        """
        return stacked([self.episode(step, place) for place in range(first, first + tasks)])

    def episode(self, step: int, place: int = 0) -> Episode:
        """One task."""
        shots = self.shape.shots[derive_seed(self.seed, "shots", step) % len(self.shape.shots)]
        rng = np.random.default_rng(derive_seed(self.seed, "task", step, place))
        inside = bool(self._inside) and rng.random() < self.shape.within
        pools = self._inside if inside or not self._across else self._across
        pool = pools[int(rng.integers(len(pools)))]
        chosen = rng.choice(len(pool), self.shape.ways, replace=False)
        each = shots + self.shape.queries
        rows = np.stack([rng.choice(pool[place_], each, replace=False) for place_ in chosen])
        support, query = rows[:, :shots].ravel(), rows[:, shots:].ravel()
        labels = torch.arange(self.shape.ways)
        return Episode(
            self.samples.at(support),
            labels.repeat_interleave(shots),
            self.samples.at(query),
            labels.repeat_interleave(self.shape.queries),
            self.shape.ways,
        )


def require_disjoint(episode: Episode) -> None:
    """Raise if a task is asked about a sample that it is told the class of.

    Raises:
        DataError: it is.
    """

    def rows(inputs: Mapping[str, Tensor], count: int) -> list[bytes]:
        arrays = [view.reshape(count, -1).contiguous().numpy() for view in inputs.values()]
        return [b"".join(one[row].tobytes() for one in arrays) for row in range(count)]

    known = {content: place for place, content in enumerate(rows(episode.support, len(episode.support_labels)))}
    for place, content in enumerate(rows(episode.query, len(episode.query_labels))):
        if content in known:
            raise DataError(
                f"query {place} is the same sample as support {known[content]}, but a task must not be asked about "
                "what it was told; leave one of them out"
            )


def _pools(samples: Samples, groups: np.ndarray, shape: EpisodeShape, needed: int) -> list[list[np.ndarray]]:
    """Of each group with enough classes: the rows of each class that has enough."""
    order = np.lexsort((samples.labels, groups))
    keys = np.stack([groups[order], samples.labels[order]])
    starts = np.flatnonzero(np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)])
    by_group: dict[int, list[np.ndarray]] = {}
    for rows in np.split(order, starts[1:]):
        if len(rows) >= needed:
            by_group.setdefault(int(groups[rows[0]]), []).append(rows)
    return [pool for pool in by_group.values() if len(pool) >= shape.ways]


def _too_few(samples: Samples, shape: EpisodeShape, needed: int, where: str) -> DataError:
    counts = np.bincount(samples.labels)
    classes, fitting = int((counts > 0).sum()), int((counts >= needed).sum())
    if classes < shape.ways:
        there, have = ("there is", "1 class") if classes == 1 else ("there are", f"{classes} classes")
        return DataError(f"{there} {have}, but a task of {shape.ways} ways needs {shape.ways}; lower ways, or add some")
    if fitting < shape.ways:
        return DataError(
            f"{fitting} of {classes} classes have the {needed} samples that {max(shape.shots)} shots and "
            f"{shape.queries} queries need, but {shape.ways} ways need {shape.ways}; lower them, or add some"
        )
    return DataError(
        f"no {shape.ways} classes {where}have {needed} samples each, as {shape.ways} ways, {max(shape.shots)} shots "
        f"and {shape.queries} queries need; lower them, or set within to 0"
    )

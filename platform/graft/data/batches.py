"""From the rows of a dataset to the batches that a network takes."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graft.core.errors import DataError, Problem, SpecError
from graft.core.seeds import derive_seed
from graft.data.augmentation.draws import Draws, Rows
from graft.data.augmentation.mixing import Mixing, with_next
from graft.data.batch import Batch, to_device
from graft.data.inputs import Augmenter, Inputs, Views, ahead_of

# Rows of so many batches are sorted by length together: enough to fill batches evenly, few enough to stay shuffled.
BUCKET_BATCHES = 50


class TrainingBatch(NamedTuple):
    """What one process computes of a batch that all of them share.

    Attributes:
        inputs: this process's part, B samples.
        targets: [B, …].
        total: samples of the whole batch.
        weights: float32 [B], how much each sample counts in the loss; None where all count alike.
    """

    inputs: Batch
    targets: Tensor
    total: int
    weights: Tensor | None = None


@dataclass(frozen=True)
class Shard:
    """Which part of everything one of several processes takes.

    Attributes:
        rank: which process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def part(self, count: int) -> slice:
        """This process's contiguous part of `count` things; the parts of all cover them, and differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def all(self) -> list["Shard"]:
        """Those of all processes, this one's among them."""
        return [Shard(rank, self.size) for rank in range(self.size)]


WHOLE = Shard()


class Batches:
    """Batches of some rows of a dataset, on the device they are used on.

    Args:
        inputs: what the network takes, by row.
        targets: [N, …], of the whole dataset.
        rows: which rows; all of them, in every process.
        batch_size: samples a batch; of the whole batch in training, of this process's in evaluation.
        shard: this process's part.
    """

    def __init__(
        self, inputs: Inputs, targets: np.ndarray, rows: np.ndarray, batch_size: int, shard: Shard = WHOLE
    ) -> None:
        self._inputs = inputs
        self._targets = targets
        self._rows = np.asarray(rows, dtype=np.int64)
        self._batch_size = batch_size
        self._shard = shard
        self._weights: np.ndarray | None = None
        self._mixing: Mixing | None = None

    def weighted(self, weights: np.ndarray | None) -> "Batches":
        """The same batches, with samples that count in the loss by their weights; scaled to a mean of 1 over the rows.

        Args:
            weights: [N], of the whole dataset, from 0; None where all count alike.

        Raises:
            DataError: none of the rows counts.
        """
        other = copy(self)
        other._weights = None
        if weights is not None:
            mean = float(np.mean(weights[self._rows], dtype=np.float64))
            if not mean > 0:
                raise DataError(
                    f"the weights of all {len(self._rows)} training samples are 0, but some must count; correct the "
                    "column that data.weight names, or leave it out"
                )
            other._weights = (weights / mean).astype(np.float32)
        return other

    def mixed(self, mixing: Mixing | None) -> "Batches":
        """The same batches, with samples of training that are mixed with one another; each keeps its own weight."""
        other = copy(self)
        other._mixing = mixing
        return other

    @property
    def num_samples(self) -> int:
        """How many samples an epoch has, over all processes."""
        return len(self._rows)

    def __len__(self) -> int:
        """How many batches an epoch has: the optimiser's steps.

        Raises:
            SpecError: the batch size leaves a process less than two samples.
            DataError: so does the number of rows.
        """
        return len(self._training_bounds())

    def epoch(
        self, seed: int, epoch: int, augmenter: Augmenter | Views | None = None, first: int = 0
    ) -> Iterator[TrainingBatch]:
        """All rows once, shuffled and augmented; the same again for the same seed and epoch.

        The batches are the same for any number of processes; each gets its part of every one. A last batch with less
        than two samples for each process is joined to the one before: batch norm has no variance of one.

        Args:
            seed: root of all randomness.
            epoch: which pass over the rows.
            augmenter: changes the samples, anew in every epoch; or the views that epochs rotate through.
            first: batches to leave out at the start; the others are what they are with all of them.
        """
        order, bounds = self._order(seed, epoch), self._training_bounds()[first:]
        reading = [[self._asked_for(order, a, one.part(b - a)) for a, b in bounds] for one in self._shard.all()]
        with ahead_of(self._inputs, reading, self._shard.rank):
            for asked, (start, stop) in zip(reading[self._shard.rank], bounds, strict=True):
                samples = self._changed(Draws.of_epoch(asked, seed, epoch), epoch, augmenter)
                targets = self._targets_of(asked, samples.device)
                if self._mixing is None:
                    rows = asked
                else:
                    rows = asked[:-1]
                    samples, targets = self._mixing.apply(samples, targets, Draws.of_epoch(rows, seed, epoch))
                yield TrainingBatch(samples, targets, stop - start, self._weights_of(rows, samples.device))

    def _asked_for(self, order: Rows, start: int, part: slice) -> Rows:
        """The rows of a process's part of the batch that begins at `start`; mixing takes the one behind them too."""
        first, count = start + part.start, part.stop - part.start
        return with_next(order, first, count) if self._mixing else order[first : first + count]

    def _changed(self, draws: Draws, epoch: int, augmenter: Augmenter | Views | None) -> Batch:
        """The samples of the draws' rows as an epoch sees them, but for mixing."""
        if isinstance(augmenter, Views):
            return self._inputs.view(draws.rows, augmenter, augmenter.of_epoch(epoch))
        return self._inputs.plain(draws.rows) if augmenter is None else self._inputs.augmented(augmenter, draws)

    def for_evaluation(self) -> Iterator[tuple[np.ndarray, Batch]]:
        """This process's part of the rows once, not augmented; it may be empty.

        Where rows differ in length, a batch is of rows of like length: the longest of all come first, so that memory
        that does not suffice is found missing at the start.

        Yields:
            The places int64 [B] in this process's part that the samples have, and the samples.
        """
        parts = [self._rows[one.part(len(self._rows))] for one in self._shard.all()]
        places = [self._places(rows) for rows in parts]
        reading = [[rows[some] for some in batches] for rows, batches in zip(parts, places, strict=True)]
        rank = self._shard.rank
        with ahead_of(self._inputs, reading, self._shard.rank):
            for some, rows in zip(places[rank], reading[rank], strict=True):
                yield some, self._inputs.plain(rows)

    def _places(self, rows: Rows) -> list[np.ndarray]:
        """Where the samples of each batch of an evaluation stand among these rows."""
        lengths = self._inputs.lengths
        order = np.arange(len(rows)) if lengths is None else np.argsort(-lengths[rows], kind="stable")
        return [order[start : start + self._batch_size] for start in range(0, len(rows), self._batch_size)]

    def _order(self, seed: int, epoch: int) -> np.ndarray:
        """The rows shuffled; where they differ in length, batches are of rows of like length, in random order.

        Buckets of like length cost 0.70 of the padding of random batches at 128 tokens.
        """
        rng = np.random.default_rng(derive_seed(seed, "order", epoch))
        order = rng.permutation(self._rows)
        lengths = self._inputs.lengths
        if lengths is None or len(order) == 0:
            return order
        window = BUCKET_BATCHES * self._batch_size
        parts = []
        for start in range(0, len(order), window):
            some = order[start : start + window]
            # Before sorting: or the smaller last batch, whose rows weigh more, would always be of the longest.
            full = len(some) // self._batch_size * self._batch_size
            whole, left = some[:full], some[full:]
            batches = whole[np.argsort(lengths[whole], kind="stable")].reshape(-1, self._batch_size)
            parts += [batches[rng.permutation(len(batches))].reshape(-1), left]
        return np.concatenate(parts)

    def _training_bounds(self) -> list[tuple[int, int]]:
        """Where each batch begins and ends in the shuffled rows."""
        count, size, fewest = len(self._rows), self._batch_size, 2 * self._shard.size
        if self._shard.size > 1:
            _require_enough(count, size, self._shard.size)
        bounds = [(start, min(start + size, count)) for start in range(0, count, size)]
        if len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] < fewest:
            bounds[-2:] = [(bounds[-2][0], count)]
        return bounds

    def _targets_of(self, rows: np.ndarray, device: torch.device) -> Tensor:
        return to_device(torch.from_numpy(self._targets[rows]), device)

    def _weights_of(self, rows: np.ndarray, device: torch.device) -> Tensor | None:
        return None if self._weights is None else to_device(torch.from_numpy(self._weights[rows]), device)


def _require_enough(count: int, batch_size: int, size: int) -> None:
    if batch_size < 2 * size:
        rule = f"is {batch_size}, but must be >= {2 * size}: each of {size} workers needs 2 samples of every batch"
        raise SpecError([Problem("strategy.batch_size", f"{rule}; raise it, or take fewer workers")])
    if count < 2 * size:
        raise DataError(
            f"there are {count} training samples, but each of {size} workers needs 2 of every batch; take fewer workers"
        )

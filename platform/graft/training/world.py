"""What a training knows of the processes it shares its batches with.

Every process runs the same program over the same batches and computes its own part of each. All operations here are
collective: every rank calls them, in the same order, or the others wait for it.
"""

import contextlib
import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


class World(Protocol):
    """The processes that train one model together."""

    @property
    def rank(self) -> int:
        """Which of them this one is, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def data_parallel(self, model: nn.Module, rests: bool = False) -> nn.Module:
        """The model as training calls it: `backward` leaves the mean over the ranks in the gradients of every rank.

        Args:
            model: all that ever trains requires a gradient now.
            rests: whether there are steps in which some of it does not; they cost a walk through the graph.
        """
        ...

    def without_exchange(self, network: nn.Module) -> AbstractContextManager[object]:
        """While it is entered, forward and backward of a `data_parallel` model leave gradients to the rank itself."""
        ...

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over the ranks, in float64; the same on all of them."""
        ...

    def sum_(self, tensor: Tensor) -> None:
        """Put the sum over the ranks into a tensor, in place."""
        ...

    def average_(self, tensors: Iterable[Tensor]) -> None:
        """Put the mean over the ranks into every tensor, in place; what is the same everywhere stays bit for bit."""
        ...

    def gather_rows(self, rows: Tensor) -> Tensor | None:
        """All rows on rank 0, in the order of the ranks; None elsewhere.

        Args:
            rows: [n, width] of the same type on all ranks; n may differ, and where it is 0 the width does not matter.
        """
        ...

    def broadcast(self, value: T) -> T:
        """Rank 0's value, on every rank; anything small that JSON can hold."""
        ...


@dataclass(frozen=True)
class Alone:
    """One process with nobody to share with: every operation gives back what it was given."""

    rank: int = 0
    size: int = 1

    def data_parallel(self, model: nn.Module, rests: bool = False) -> nn.Module:
        return model

    def without_exchange(self, network: nn.Module) -> AbstractContextManager[object]:
        return contextlib.nullcontext()

    def sum(self, values: Sequence[float]) -> list[float]:
        return list(values)

    def sum_(self, tensor: Tensor) -> None:
        return

    def average_(self, tensors: Iterable[Tensor]) -> None:
        return

    def gather_rows(self, rows: Tensor) -> Tensor | None:
        return rows

    def broadcast(self, value: T) -> T:
        return value


ALONE = Alone()


class Ranks:
    """The ranks of torch's default process group (gloo or nccl), which somebody else has started and will end.

    Raises:
        ValueError: there is no process group.
    """

    def __init__(self) -> None:
        if not distributed.is_initialized():
            raise ValueError("there is no process group; call torch.distributed.init_process_group first")
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()
        self._device = torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")

    def data_parallel(self, model: nn.Module, rests: bool = False) -> nn.Module:
        network = DistributedDataParallel(model, gradient_as_bucket_view=True, find_unused_parameters=rests)
        # torch would send all buffers at every step; ours are brought together once an epoch (as an argument it has
        # another name in every other release of torch)
        network.broadcast_buffers = False
        return network

    def without_exchange(self, network: nn.Module) -> AbstractContextManager[object]:
        if not isinstance(network, DistributedDataParallel):
            raise ValueError(f"{type(network).__name__} is not from data_parallel")
        context: AbstractContextManager[object] = network.no_sync()
        return context

    def sum(self, values: Sequence[float]) -> list[float]:
        tensor = torch.tensor(values, dtype=torch.float64, device=self._device)
        distributed.all_reduce(tensor)
        summed: list[float] = tensor.tolist()
        return summed

    def sum_(self, tensor: Tensor) -> None:
        distributed.all_reduce(tensor)

    def average_(self, tensors: Iterable[Tensor]) -> None:
        found = list(tensors)
        if not found:
            return
        # in float64 the mean of equal float32 values is that value, whatever their number
        flat = torch.cat([tensor.reshape(-1).to(self._device, torch.float64) for tensor in found])
        distributed.all_reduce(flat)
        means = torch.split(flat.div_(self.size), [tensor.numel() for tensor in found])
        for tensor, mean in zip(found, means, strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def gather_rows(self, rows: Tensor) -> Tensor | None:
        counts = [torch.zeros(2, dtype=torch.int64, device=self._device) for _ in range(self.size)]
        distributed.all_gather(counts, torch.tensor(rows.shape, device=self._device))
        shapes = [count.tolist() for count in counts]
        lengths = [length for length, _ in shapes]
        # a gather wants the same shape from everyone
        width = max(width if length else 0 for length, width in shapes)
        padded = torch.zeros(max(lengths), width, dtype=rows.dtype, device=self._device)
        if len(rows):
            padded[: len(rows)] = rows.to(self._device)
        parts = [torch.empty_like(padded) for _ in range(self.size)] if self.rank == 0 else None
        distributed.gather(padded, parts)
        if parts is None:
            return None
        return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])

    def broadcast(self, value: T) -> T:
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(self._device)
        length = torch.tensor([len(content)], device=self._device)
        distributed.broadcast(length, 0)
        if self.rank != 0:
            content = torch.empty(int(length), dtype=torch.uint8, device=self._device)
        distributed.broadcast(content, 0)
        # rank 0 reads its own text too: what JSON changes, such as a tuple, is changed everywhere alike
        received: T = json.loads(bytes(content.tolist()))
        return received

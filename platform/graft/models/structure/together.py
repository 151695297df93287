"""Networks that are given the same batches: what the first layers of several compute alike is computed once.

Heads that were solved on one backbone, at one depth or at several, and networks that were trained above frozen blocks
have these blocks in common, bit for bit. Who asks several of them asks for what they have in common once.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from graft.models.backbone import Backbone, Hidden
from graft.models.network import Network


@dataclass(frozen=True)
class Passed:
    """What became of samples that went through networks together.

    Attributes:
        outputs: [N, K] of each network, by what it is called.
        seconds: of all of them.
        first_seconds: of the first of them, as if it were alone.
    """

    outputs: Mapping[int, Tensor]
    seconds: float
    first_seconds: float


class Together(nn.Module):
    """Networks of one architecture, each with a head of its own: batches to the outputs of all.

    Stem and blocks in which networks agree from the input on are held once, and run once a batch. Outputs are those of
    the networks alone.

    Args:
        networks: what each is called, and the network: all of one architecture, and given inputs of one size. They are
            taken one by one, so that what they share is never held by all, and changed: each holds the layers of those
            before it in the place of its equal own.

    Attributes:
        names: what they are called.
    """

    def __init__(self, networks: Iterable[tuple[int, Network]]) -> None:
        super().__init__()
        self._further_seconds = 0.0
        self.names: tuple[int, ...] = ()
        self.networks = nn.ModuleList()
        for name, network in networks:
            for place in range(len(self.networks)):
                _share(network.backbone, self._network(place).backbone)
            self.networks.append(network)
            self.names = (*self.names, name)

    def forward(self, batch: Mapping[str, Tensor] | Tensor) -> Tensor:
        """Outputs [B, M, K] of a batch, in the order of the networks."""
        answers = self._answers(batch)
        place, outputs = next(answers)
        if len(self.networks) > 1:
            outputs.cpu()  # on a GPU, this waits for the first network
        began = time.perf_counter()
        found = {place: outputs, **dict(answers)}
        self._further_seconds += time.perf_counter() - began
        return torch.stack([found[place] for place in sorted(found)], dim=1)

    def timed(self, computed: Callable[[], Tensor]) -> Passed:
        """What calls of these networks give together, and how long they take.

        Args:
            computed: calls them; outputs [N, M, K] of all samples.
        """
        began, further = time.perf_counter(), self._further_seconds
        outputs = computed().cpu()  # on a GPU, this waits for the networks
        seconds = time.perf_counter() - began
        each = dict(zip(self.names, outputs.unbind(dim=1), strict=True))
        return Passed(each, seconds, seconds - (self._further_seconds - further))

    def _answers(self, batch: Mapping[str, Tensor] | Tensor) -> Iterator[tuple[int, Tensor]]:
        """Outputs [B, K] by the places of the networks, those of the first one first."""
        stems = [id(self._network(place).backbone.stem) for place in range(len(self.networks))]
        for places in alike(stems):
            yield from self._above(self._network(places[0]).backbone.begin(batch), places, 0)

    def _above(self, hidden: Hidden, places: Sequence[int], start: int) -> Iterator[tuple[int, Tensor]]:
        """The same, of networks that have in common what lies before block `start`."""
        backbone, stop = self._network(places[0]).backbone, start
        while stop < len(backbone.blocks) and len({self._block(place, stop) for place in places}) == 1:
            stop += 1
        hidden = backbone.through(hidden, list(backbone.blocks[start:stop]))
        for turn in alike([self._block(place, stop) for place in places]):
            some = [places[index] for index in turn]
            if self._block(some[0], stop) is not None:
                yield from self._above(hidden, some, stop)
                continue
            for network, place in ((self._network(place), place) for place in some):
                yield place, network.head(network.backbone.pool(hidden))

    def _block(self, place: int, index: int) -> int | None:
        """Which block a network has there; None behind its last one."""
        blocks = self._network(place).backbone.blocks
        return id(blocks[index]) if index < len(blocks) else None

    def _network(self, place: int) -> Network:
        return cast(Network, self.networks[place])


def alike(keys: Sequence[Any]) -> list[list[int]]:
    """The places of equal keys together, each group where its first one stands; keys need no hash."""
    groups: list[list[int]] = []
    for place, key in enumerate(keys):
        group = next((one for one in groups if keys[one[0]] == key), None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return groups


def in_order(passes: Iterable[Passed]) -> list[Tensor]:
    """The outputs of all networks, by what they are called."""
    outputs = {name: one for some in passes for name, one in some.outputs.items()}
    return [outputs[name] for name in sorted(outputs)]


def _share(backbone: Backbone, before: Backbone) -> None:
    """Put the layers of another backbone in the place of those that equal them, from the input to the first that does
    not."""
    if not _is_equal(backbone.stem, before.stem):
        return
    backbone.stem = before.stem
    for place, (own, other) in enumerate(zip(backbone.blocks, before.blocks, strict=False)):
        if not _is_equal(own, other):
            return
        backbone.blocks[place] = other


def _is_equal(one: nn.Module, other: nn.Module) -> bool:
    """Whether layers of one architecture are built alike, and hold the same values."""
    if one is other:
        return True
    mine, theirs = _values(one), _values(other)
    return (
        repr(one) == repr(other)
        and mine.keys() == theirs.keys()
        and all(mine[name].dtype == theirs[name].dtype and torch.equal(mine[name], theirs[name]) for name in mine)
    )


def _values(module: nn.Module) -> dict[str, Tensor]:
    """Its parameters and buffers, with those that a file leaves out."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}

"""The parts of a network by what they cost, and by the shape of what they give. Nothing is computed for it: the network
is laid out without values."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from graft.models.backbone import Backbone, Hidden, Masked
from graft.models.deferred_compiler import deferred_compiler
from graft.models.libraries import library_for
from graft.models.operations import Cost, cost_of
from graft.models.structure.meta_device import WithoutValues
from graft.models.structure.widened import widened


@dataclass(frozen=True)
class Stage:
    """The stem of a network, or one of its blocks.

    Attributes:
        cost: of it.
        shape: of what it gives for one sample: [C, H, W], [H, W, C], [L, D] or [F].
    """

    cost: Cost
    shape: tuple[int, ...]


@functools.lru_cache(maxsize=64)
def stages_of(architecture: str, size: int | None = None, widen: float = 1.0) -> tuple[Stage, ...]:
    """The stem and the blocks of an architecture, in order; no weights are read.

    Args:
        architecture: ``<library>/<architecture>``.
        size: of its inputs, as its modality counts it; None means native.
        widen: how much wider its blocks are inside (`Structure.widen`).

    Raises:
        SpecError: the architecture is not known, not supported, or cannot work at this size.
    """
    library, name = library_for(architecture)
    with torch.device("meta"), WithoutValues():
        backbone = library.wrap(library.create(name), size).eval()
        if widen > 1:
            backbone.blocks = nn.ModuleList(widened(block, widen, seed=0) for block in backbone.blocks)
        sample = library.sample(name, size)
    # Torch asks its compiler to leave aside what looks at operations, and computes shapes in Python.
    with deferred_compiler(), torch.inference_mode(), _AllThere():  # type: ignore[no-untyped-call]
        cost = cost_of(backbone, sample)
        shapes = _shapes(backbone, sample)
    return tuple(Stage(*one) for one in zip((cost.stem, *cost.blocks), shapes, strict=True))


def _shapes(backbone: Backbone, sample: Mapping[str, Tensor]) -> list[tuple[int, ...]]:
    hidden = backbone.begin(sample)
    found = [_shape(hidden)]
    for block in backbone.blocks:
        hidden = backbone.through(hidden, [block])
        found.append(_shape(hidden))
    return found


def _shape(hidden: Hidden) -> tuple[int, ...]:
    states = hidden.states if isinstance(hidden, Masked) else hidden
    return tuple(states.shape[1:])


class _AllThere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Answers what a network asks of a mask that has no values: every position is there."""

    def __torch_dispatch__(
        self, function: Any, types: Any, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        aten = torch.ops.aten
        if function in (aten._local_scalar_dense.default, aten.item.default, aten.is_nonzero.default):
            return True
        return function(*given, **(named or {}))

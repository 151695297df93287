"""What each axis of a weight stands for: what a layer gives, what it takes, or neither."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from torch import nn


class Role(Enum):
    """What an axis counts."""

    OUT = "out"
    """Units that the layer gives: copying one gives it twice."""
    IN = "in"
    """Units that the layer takes and sums over: a copied one must be shared out among its copies."""
    ROWS = "rows"
    """Rows of a table that are looked up one by one: tokens, positions."""
    KERNEL = "kernel"
    """Places of a convolution's kernel."""
    FIXED = "fixed"
    """Anything else; both networks must agree in it."""


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor.

    Attributes:
        role: what it counts.
        segments: equal parts that it is made of, each of which grows by itself: 3 for queries, keys and values in one
            matrix, the number of heads where these stay as many.
    """

    role: Role
    segments: int = 1


Axes = tuple[Axis, ...]

OUT, IN, FIXED = Axis(Role.OUT), Axis(Role.IN), Axis(Role.FIXED)
_ROWS, _KERNEL = Axis(Role.ROWS), Axis(Role.KERNEL)
# Matrices that hold several layers one behind the other, by the last part of their name.
_FUSED = {"qkv": 3, "Wqkv": 3, "in_proj_weight": 3, "in_proj_bias": 3, "Wi": 2}


def axes_of(network: nn.Module) -> dict[str, Axes]:
    """The axes of every parameter and buffer of a network, by its name in the state dict.

    A parameter of a module that is neither linear, a convolution, an embedding nor a norm (a position embedding, a
    token of its own, a layer scale) counts the units of the layer in its last axis.
    """
    found: dict[str, Axes] = {}
    for name, module in network.named_modules():
        prefix = f"{name}." if name else ""
        last = name.rpartition(".")[2]
        for leaf, axes in _axes_of_module(module, last):
            found[prefix + leaf] = axes
    return found


def _axes_of_module(module: nn.Module, last: str) -> Iterator[tuple[str, Axes]]:
    segments = _FUSED.get(last, 1)
    own = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
    for leaf, tensor in own.items():
        out = Axis(Role.OUT, _FUSED.get(leaf, segments))
        if tensor.ndim == 0:
            yield leaf, ()
        elif isinstance(module, nn.Linear) and tensor.ndim == 2:
            yield leaf, (out, IN)
        elif isinstance(module, nn.modules.conv._ConvNd) and tensor.ndim > 2:
            # Behind groups the second axis counts the inputs of one group, which growth leaves as they are.
            taken = IN if module.groups == 1 else FIXED
            yield leaf, (out, taken, *[_KERNEL] * (tensor.ndim - 2))
        elif isinstance(module, nn.Embedding):
            yield leaf, (_ROWS, OUT)
        elif isinstance(module, nn.MultiheadAttention) and tensor.ndim == 2:
            yield leaf, (out, IN)
        else:
            yield leaf, (*[FIXED] * (tensor.ndim - 1), out)

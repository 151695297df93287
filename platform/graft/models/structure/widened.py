"""Blocks whose branches are wider inside and compute what they did (Net2WiderNet: Chen, Goodfellow, Shlens, ICLR 2016).

What a branch has between its first and its last layer gets more units: the perceptron of a transformer, the expansion
of an inverted residual, the inner maps of a residual block. What a block takes and gives keeps its width, so blocks are
widened one by one. `graft.models.mapping.growth` has the equations, and how copies of a unit learn apart.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graft.core.errors import Problem, SpecError
from graft.core.seeds import derive_seed
from graft.models.mapping.axes import FIXED, IN, OUT, Axis, Role
from graft.models.mapping.growth import SPREAD, grow

# Widths are multiples of this: what kernels like.
_MULTIPLE = 8
_GATED = Axis(Role.OUT, 2)
# Perceptrons, by the paths of their first and last layer, and the parts that the first one gives behind each other.
_PERCEPTRONS = (
    ("fc1", "fc2", OUT),
    ("intermediate.dense", "output.dense", OUT),
    ("lin1", "lin2", OUT),
    ("Wi", "Wo", _GATED),
)
# Convolutions one behind the other, each with the norm that follows it; the last one gives the width of the block.
_CONVOLUTIONS = (
    ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl"),
    ("conv_exp", "bn1", "conv_pwl"),
    ("conv.0.0", "conv.0.1", "conv.1.0", "conv.1.1", "conv.2"),
    ("conv1", "bn1", "conv2", "bn2", "conv3"),
    ("conv1", "bn1", "conv2"),
)


@dataclass(frozen=True)
class Branch:
    """Layers of a branch whose inner width can grow.

    Attributes:
        first: gives the inner width.
        inner: take it and give it, unit by unit or each unit from all.
        last: takes it.
        gives: how the first layer's outputs are divided.
    """

    first: nn.Module
    inner: tuple[nn.Module, ...]
    last: nn.Module
    gives: Axis = OUT


def widened(block: nn.Module, factor: float, seed: int) -> nn.Module:
    """A copy of a block whose branches are wider inside; the block itself where it has none that can be.

    Args:
        block: of a backbone.
        factor: by which the inner width grows, at least 1; the width becomes a multiple of 8.
        seed: of how unequal copies of a unit share what they are weighted by.
    """
    if not any(True for _ in branches_of(block)):
        return block
    twin = copy.deepcopy(block)
    for index, branch in enumerate(branches_of(twin)):
        _widen(branch, factor, derive_seed(seed, "widen", index))
    return twin


def require_branches(blocks: nn.ModuleList, architecture: str) -> None:
    """Refuse to widen what has no block that can be wider inside.

    Args:
        blocks: of a backbone.
        architecture: its name, for the message.

    Raises:
        SpecError: none can.
    """
    if not any(True for block in blocks for _ in branches_of(block)):
        told = f"is above 1, but no block of {architecture} has a branch whose inner width is known to grow"
        raise SpecError([Problem("strategy.structure.widen", f"{told}; leave it out")])


def branches_of(block: nn.Module) -> Iterator[Branch]:
    """The branches of a block that can be wider inside."""
    for module in block.modules():
        for first, last, gives in _PERCEPTRONS:
            start, end = _at(module, first), _at(module, last)
            if start and end and _is_product(start) and _is_product(end) and _is_plain(module, first):
                yield Branch(start, (), end, gives)
        for paths in _CONVOLUTIONS:
            layers = [layer for path in paths if (layer := _at(module, path)) is not None]
            fits = (
                len(layers) == len(paths)
                and all(map(_is_convolution, layers[::2]))
                and all(map(_is_norm, layers[1::2]))
            )
            if fits and not _is_blurred(module):
                yield Branch(layers[0], (*layers[1:-1], *_squeeze(module)), layers[-1])
                break


def _widen(branch: Branch, factor: float, seed: int) -> None:
    width = _width_of(branch.first) // branch.gives.segments
    wider = max(width, round(width * factor / _MULTIPLE) * _MULTIPLE)
    if wider == width:
        return
    _resize(branch.first, wider * branch.gives.segments, None, branch.gives, seed)
    for place, layer in enumerate(branch.inner):
        if isinstance(layer, _Squeeze):
            _resize(layer.takes, None, wider, OUT, derive_seed(seed, "squeeze", place))
            _resize(layer.gives, wider, None, OUT, seed)
        elif isinstance(layer, nn.Conv2d) and layer.groups == 1:
            _resize(layer, wider, wider, OUT, derive_seed(seed, place))
        else:
            _resize(layer, wider, None, OUT, seed)
    _resize(branch.last, None, wider, OUT, derive_seed(seed, "last"))


def _resize(layer: nn.Module, gives: int | None, takes: int | None, out: Axis, seed: int) -> None:
    """Let a layer give or take more units, in place."""
    tensors: dict[str, Tensor] = {**dict(layer.named_parameters(recurse=False)), **dict(layer.named_buffers())}
    depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
    for name, tensor in tensors.items():
        if tensor.ndim == 0:
            continue
        shape, axes = [gives or tensor.shape[0], *tensor.shape[1:]], [out, *[FIXED] * (tensor.ndim - 1)]
        if takes is not None and tensor.ndim > 1:
            shape[1], axes[1] = takes, IN
        _put(layer, name, _grown(tensor, shape, tuple(axes), seed))
    for name, size in (("out_features", gives), ("out_channels", gives), ("num_features", gives)):
        if size is not None and hasattr(layer, name):
            setattr(layer, name, size)
    for name, size in (("in_features", takes), ("in_channels", gives if depthwise else takes)):
        if size is not None and hasattr(layer, name):
            setattr(layer, name, size)
    if depthwise and gives is not None:
        layer.groups = gives  # type: ignore[assignment]


def _grown(tensor: Tensor, shape: list[int], axes: tuple[Axis, ...], seed: int) -> Tensor:
    if tensor.is_meta:
        return torch.empty(shape, dtype=tensor.dtype, device="meta")
    return grow(tensor.detach(), shape, axes, SPREAD, seed).contiguous()


def _put(layer: nn.Module, name: str, tensor: Tensor) -> None:
    before = layer._parameters.get(name)
    if before is not None:
        layer._parameters[name] = nn.Parameter(tensor, requires_grad=before.requires_grad)
    else:
        layer._buffers[name] = tensor


class _Squeeze(nn.Module):
    """The two layers of squeeze-and-excitation over the inner maps."""

    def __init__(self, takes: nn.Module, gives: nn.Module) -> None:
        super().__init__()
        self.takes, self.gives = takes, gives


def _squeeze(module: nn.Module) -> tuple[_Squeeze, ...]:
    takes, gives = _at(module, "se.conv_reduce"), _at(module, "se.conv_expand")
    return (_Squeeze(takes, gives),) if takes is not None and gives is not None else ()


def _at(module: nn.Module, path: str) -> nn.Module | None:
    found: nn.Module | None = module
    for name in path.split("."):
        found = found._modules.get(name) if found is not None else None
    return found


def _is_plain(module: nn.Module, first: str) -> bool:
    """Whether nothing with weights is between the layers of a perceptron; such a norm would see other units."""
    if "." in first:
        return True
    others = [one for name, one in module.named_children() if name not in ("fc1", "fc2", "lin1", "lin2", "Wi", "Wo")]
    return not any(True for one in others for _ in one.parameters())


def _is_convolution(module: nn.Module) -> bool:
    if not isinstance(module, nn.Conv2d):
        return False
    return module.groups == 1 or module.groups == module.in_channels == module.out_channels


def _is_product(module: nn.Module) -> bool:
    """Whether it is a linear layer, over tokens or over the places of a map."""
    is_pointwise = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear) or is_pointwise


def _is_blurred(module: nn.Module) -> bool:
    """Whether a filter of a fixed number of maps stands between the convolutions (timm's `aa`)."""
    return not isinstance(module._modules.get("aa"), nn.Identity | None)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def _width_of(layer: nn.Module) -> int:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.shape[0]

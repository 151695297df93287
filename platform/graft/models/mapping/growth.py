"""Function-preserving growth: wider layers and more blocks that compute what the smaller network did.

Chen, Goodfellow, Shlens, "Net2Net: Accelerating learning via knowledge transfer", ICLR 2016. Net2WiderNet draws a map
g from the new units to the old ones, copies what a layer gives (eq. 1, U'[:, j] = U[:, g(j)]) and shares out what the
next layer takes (eq. 2, W'[j] = W[g(j)] / |{x : g(x) = g(j)}|). Here g(j) = j mod n for n old units: the same for all
layers of equal widths, so layers that share a width because a residual connection adds them up stay in step, and no
graph of the network is needed. `copy_indices` is g, `grow` is both equations.

Copies that are shared out equally get equal gradients and stay copies for ever. The paper adds noise to the weights, so
its networks are equal up to that noise. Here the *shares* differ instead (`spread`): they are drawn for each weight and
sum to 1 over the copies of a unit, so that the function stays exactly what it was and the copies learn apart.

Exact up to the last bits of a sum are, in a network all of whose layers are grown by `grow`:
- linear layers, embeddings and convolutions, grouped ones too if it is the groups that get more;
- batch norm, whose statistics are copied with its units, and every element-wise function;
- layer norm and RMS norm, where the new width is a multiple of the old one: only then mean and variance stay;
- attention that gets more heads of the same size, or as many heads whose size is a multiple (`heads`).

Not exact are: layer norm at a width that is no multiple, group norm (its groups hold other units), heads of other
sizes and larger heads with rotary positions or normed queries, global response norm, a layer whose input was flattened
from a map with several places, dropout while training (the copies are dropped one by one).

Net2DeeperNet adds a layer that computes the identity. Between blocks that add to what they are given, that is a block
whose last layer gives 0 (`closing_tensors`). Exact for residual blocks with nothing behind their sum, or a ReLU, which
changes nothing that a ReLU gave: ResNet, MobileNet, EfficientNet, ConvNeXt, pre-norm transformers. Not exact for
post-norm transformers (BERT, RoBERTa, DistilBERT): the norm behind the sum normalises once more, token by token.
`near_identity_norm` is the scale and shift that undo it best for all tokens together.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graft.core.seeds import derive_seed
from graft.models.mapping.axes import Axes, Axis, Role

# What the shares of copies are drawn from: 1 ± this, before they are made to sum to 1.
SPREAD = 0.5

# The last layers of the branches of a residual block, by names of timm, torchvision and transformers. The first
# pattern that is found decides; everything it matches gives 0.
_BRANCH_ENDS = (
    r"(attn|mlp)\.(proj|fc2|Wo)\.(weight|bias)$",
    r"(attention\.output\.dense|(?<!attention\.)output\.dense|attention\.out_lin|ffn\.lin2)\.(weight|bias)$",
)
_POST_NORM = re.compile(r"(attention\.output\.LayerNorm|output_layer_norm|attention\.output\.dense)")
_SHORTCUT = re.compile(r"(^|\.)(downsample|shortcut)(\.|$)")


def copy_indices(old: int, new: int, segments: int = 1) -> Tensor:
    """g: which of `old` units each of `new` units copies, int64 [new].

    Args:
        old: number of units.
        new: number of units, at least as many.
        segments: equal parts of the units; each unit is copied within its own.

    Raises:
        ValueError: there are fewer new units than old ones, or they cannot be divided.
    """
    if new < old or old % segments or new % segments:
        raise ValueError(f"{old} units in {segments} parts cannot grow to {new}; it must be as many or more, in parts")
    inner, outer = old // segments, new // segments
    within = torch.arange(outer) % inner
    return (torch.arange(segments)[:, None] * inner + within[None]).reshape(-1)


def can_grow(old: Sequence[int], new: Sequence[int], axes: Axes) -> bool:
    """Whether `grow` takes a tensor of one shape to another."""
    if len(old) != len(new) or len(axes) != len(new):
        return False
    return all(_can_grow(*one) for one in zip(old, new, axes, strict=True))


def grow(tensor: Tensor, shape: Sequence[int], axes: Axes, spread: float = 0.0, seed: int = 0) -> Tensor:
    """A weight for a wider layer; see the module for what that keeps.

    Args:
        tensor: of the smaller layer.
        shape: of the larger one.
        axes: what the axes count, as `axes_of` tells.
        spread: how unequal the shares of copies are, 0 to 1; 0 shares out equally.
        seed: of the shares.

    Raises:
        ValueError: the tensor cannot grow to this shape.
    """
    if not can_grow(tensor.shape, shape, axes):
        raise ValueError(f"a tensor {tuple(tensor.shape)} cannot grow to {tuple(shape)}; ask `can_grow` before")
    for index, (size, axis) in enumerate(zip(shape, axes, strict=True)):
        if axis.role is Role.OUT and size != tensor.shape[index]:
            tensor = tensor.index_select(index, copy_indices(tensor.shape[index], size, axis.segments))
    for index, (size, axis) in enumerate(zip(shape, axes, strict=True)):
        if axis.role is Role.IN and size != tensor.shape[index]:
            tensor = _shared_out(tensor, index, copy_indices(tensor.shape[index], size, axis.segments), spread, seed)
        if axis.role is Role.KERNEL and size != tensor.shape[index]:
            tensor = _padded(tensor, index, size)
    return tensor


def closing_tensors(block: nn.Module) -> tuple[str, ...]:
    """The tensors of a residual block which, set to 0, make it give back what it takes; empty if there are none.

    For blocks of convolutions that is the scale and the shift of the last batch norm of the branch, for transformers
    the last layers of attention and of the perceptron.
    """
    if not _has_shortcut(block):
        return ()
    names = [name for name, _ in block.named_parameters()]
    for pattern in _BRANCH_ENDS:
        if found := tuple(name for name in names if re.search(pattern, name)):
            return found
    norms = [name for name, one in block.named_modules() if hasattr(one, "running_var") and not _SHORTCUT.search(name)]
    return (
        tuple(f"{norms[-1]}.{leaf}" for leaf in ("weight", "bias") if f"{norms[-1]}.{leaf}" in names) if norms else ()
    )


def is_post_norm(block: nn.Module) -> bool:
    """Whether a norm follows the sum of a block, so that `closing_tensors` make it nearly the identity only."""
    return any(_POST_NORM.search(name) for name, _ in block.named_parameters())


def near_identity_norm(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift [D] of a layer norm that nearly gives back what another layer norm gave.

    That one gave y = γ x + β, x of mean 0 and variance 1 over D. The new norm takes the mean m and the deviation s of y
    away, which differ from token to token; scale and shift put back their expectations: m = mean(β), and
    s² = mean(γ²) + var(β) if the numbers of x are uncorrelated.

    Args:
        weight: γ of the norm before.
        bias: β of the norm before.
    """
    deviation = (weight.square().mean() + bias.var(unbiased=False)).sqrt()
    return torch.full_like(weight, float(deviation)), torch.full_like(bias, float(bias.mean()))


def _has_shortcut(block: nn.Module) -> bool:
    """Whether a block adds what it takes, as it is, to what it computes."""
    if any(_SHORTCUT.search(name) and next(one.parameters(), None) is not None for name, one in block.named_modules()):
        return False
    told = getattr(block, "has_skip", getattr(block, "use_res_connect", None))
    # A plain sequence adds nothing; every other block of the families that are known does.
    return not isinstance(block, nn.Sequential) and len(list(block.children())) > 1 if told is None else bool(told)


def _can_grow(old: int, new: int, axis: Axis) -> bool:
    if old == new:
        return True
    if axis.role in (Role.OUT, Role.IN):
        return new > old and old % axis.segments == 0 and new % axis.segments == 0
    return axis.role is Role.KERNEL and new > old and (new - old) % 2 == 0


def _shared_out(tensor: Tensor, index: int, copied: Tensor, spread: float, seed: int) -> Tensor:
    """W'[j] = W[g(j)] · share(j), the shares of all copies of a unit summing to 1."""
    grown = tensor.index_select(index, copied)
    shape = [1] * grown.ndim
    shape[0], shape[index] = grown.shape[0], grown.shape[index]
    generator = torch.Generator().manual_seed(derive_seed(seed, "shares", *shape))
    shares = 1 + spread * (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1)
    totals = torch.zeros([*shape[:index], tensor.shape[index], *shape[index + 1 :]], dtype=torch.float64)
    totals.index_add_(index, copied, shares)
    return (grown.double() * (shares / totals.index_select(index, copied))).to(tensor.dtype)


def _padded(tensor: Tensor, index: int, size: int) -> Tensor:
    """A larger kernel with zeros around: the same function where the layer pads its input by as much more."""
    missing = (size - tensor.shape[index]) // 2
    shape = list(tensor.shape)
    shape[index] = size
    grown = torch.zeros(shape, dtype=tensor.dtype)
    grown.narrow(index, missing, tensor.shape[index]).copy_(tensor)
    return grown

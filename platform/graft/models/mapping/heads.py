"""Heads of attention that become larger while they stay as many: which parts of their matrices grow by themselves.

A head of size d scores a pair of places by q·k / √d. If every number of a head is copied m times, q·k is m times as
large and the root √m times, so that queries have to be divided by √m for the scores to stay. Numbers must be copied
within their head, where `growth` would deal them out over all heads. Both together are exact where the new size is a
multiple of the old one.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from graft.models.mapping.axes import Axes

_COUNTS = ("num_attention_heads", "num_heads", "n_heads")
_QUERY = re.compile(r"(query|q_lin|q_proj|(^|\.)q)\.(weight|bias)$")
_KEY_OR_VALUE = re.compile(r"(key|value|[kv]_lin|[kv]_proj|(^|\.)[kv])\.(weight|bias)$")
_FUSED = re.compile(r"(qkv|Wqkv)\.(weight|bias)$")
_OUT = re.compile(r"(attn\.proj|attention\.output\.dense|out_lin|out_proj|attn\.o|attn\.Wo)\.weight$")


@dataclass(frozen=True)
class Heads:
    """The heads of one attention.

    Attributes:
        count: how many.
        size: numbers of each.
        is_plain: whether nothing but the matrices depends on the size: rotary positions and norms of queries do.
    """

    count: int
    size: int
    is_plain: bool = True


def heads_of(network: nn.Module) -> dict[str, Heads]:
    """The heads of every attention of a network, by the start of the names of its tensors."""
    found = {}
    for name, module in network.named_modules():
        widths = [one.shape[0] for leaf, one in module.named_parameters() if _is_inside(leaf) and one.ndim == 2]
        if not widths or not name:
            continue
        fused = 3 if any(_FUSED.search(leaf) for leaf, _ in module.named_parameters()) else 1
        count = next((one for key in _COUNTS if isinstance(one := getattr(module, key, None), int)), 0)
        size = getattr(module, "head_dim", None)
        width = widths[0] // fused
        if count:
            # A block of BERT keeps what leaves the heads beside them.
            is_normed = any("q_norm" in leaf for leaf, _ in module.named_parameters())
            found[name.removesuffix(".self")] = Heads(count, width // count, is_plain=not is_normed)
        elif isinstance(size, int):
            found[name] = Heads(width // size, size, is_plain=False)
    return found


def of_tensor(name: str, heads: Mapping[str, Heads]) -> Heads | None:
    """The heads that a tensor belongs to; None if it belongs to none."""
    return next((one for start, one in heads.items() if name.startswith(f"{start}.")), None)


def axes_by_head(name: str, axes: Axes, old: Heads, new: Heads) -> Axes:
    """The axes of a tensor of attention, where its heads become larger and stay as many."""
    if old.count != new.count or old.size == new.size or not axes:
        return axes
    if _FUSED.search(name) or _QUERY.search(name) or _KEY_OR_VALUE.search(name):
        return (replace(axes[0], segments=axes[0].segments * new.count), *axes[1:])
    if _OUT.search(name):
        return (axes[0], replace(axes[1], segments=new.count), *axes[2:])
    return axes


def keep_scores(name: str, tensor: Tensor, old: Heads, new: Heads) -> Tensor:
    """A grown tensor of attention with its queries divided by √m."""
    if old.count != new.count or old.size == new.size:
        return tensor
    factor = 1 / math.sqrt(new.size / old.size)
    if _QUERY.search(name):
        return tensor * factor
    if _FUSED.search(name):
        third = len(tensor) // 3
        scaled = tensor.clone()
        scaled[:third] *= factor
        return scaled
    return tensor


def changed_function(name: str, old: Heads, new: Heads) -> str | None:
    """Why heads of another size do not compute what the old ones did; None if they do."""
    if old.size == new.size:
        return None
    if old.count == new.count and new.size % old.size == 0 and old.is_plain and new.is_plain:
        return None
    return f"{name}: heads of {new.size} instead of {old.size} score otherwise"


def _is_inside(leaf: str) -> bool:
    return bool(_QUERY.search(leaf) or _FUSED.search(leaf)) and leaf.count(".") <= 1

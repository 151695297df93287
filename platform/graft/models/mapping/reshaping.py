"""One tensor brought to the shape of another: as it is, resampled, summed or grown, and otherwise not at all."""

import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from graft.models.mapping.axes import IN, Axes, Role
from graft.models.mapping.growth import can_grow, grow

_GRID = re.compile(r"(^|\.)(pos_embed(ding)?(_\d+)?|patch_pos|position_embedding|relative_position_bias_table)$")
_RELATIVE = "relative_position_bias_table"
_POSITIONS = re.compile(r"position_embeddings?\.weight$|(^|\.)pos_embed(ding)?\.weight$|\.wpe\.weight$")
_PLANES = (1, 3)
# Tokens before the square of a position embedding, in the source and in the target: none, one for the class, one of
# distillation besides (DeiT), or four registers; then one that the target lacks. With others a rectangle and a token
# would pass for a square: 4·8 + 1 = 5² + 8.
_BEFORE = ((0, 0), (1, 1), (2, 2), (5, 5), (2, 1), (1, 0))


@dataclass(frozen=True)
class Fit:
    """How a tensor comes to a shape.

    Attributes:
        how: for people; empty where nothing is changed.
        quality: 1 for a tensor as it is, less the more is changed; what pairings are chosen by.
    """

    how: str
    quality: float


SAME = Fit("", 1.0)


def fit_of(name: str, source: Tensor, target: Tensor, axes: Axes) -> Fit | None:
    """How a tensor can become another, by their shapes; None if no way is sound.

    Args:
        name: of the target, which tells position embeddings.
        source: the tensor there is.
        target: a tensor of the shape that is wanted.
        axes: of the target (`axes_of`).
    """
    if source.is_floating_point() != target.is_floating_point():
        return None
    old, new = list(source.shape), list(target.shape)
    if old == new:
        return SAME
    if _without_trailing_ones(old) == _without_trailing_ones(new):
        return Fit(f"{_shape(old)} written as {_shape(new)}", 0.95)
    if len(old) != len(new) or len(axes) != len(new):
        return None
    if _is_grid(name, source, target) and _other_axes_grow(old, new, axes, len(old) - 2):
        return Fit(f"positions {_shape(old)} interpolated to {_shape(new)}", 0.8)
    if (sides := _plane_of(name, old, new)) and _other_axes_grow(old, new, axes, *sides):
        return Fit(f"positions {_shape(old)} interpolated to {_shape(new)}", 0.8)
    if _POSITIONS.search(name) and old[0] != new[0] and _other_axes_grow(old, new, axes, 0):
        return Fit(f"{old[0]} positions brought to {new[0]}", 0.8)
    if _sums_planes(old, new, axes):
        return Fit("3 input channels summed to 1", 0.8)
    if can_grow(old, new, axes) and not _was_one_by_one(old, new, axes):
        return Fit(f"{_shape(old)} grown to {_shape(new)}", 0.6)
    return None


def fitted(name: str, source: Tensor, target: Tensor, axes: Axes, spread: float = 0.0, seed: int = 0) -> Tensor:
    """The tensor that `fit_of` has promised, of the target's shape and type.

    Args:
        name: as in `fit_of`.
        source: as in `fit_of`.
        target: as in `fit_of`.
        axes: as in `fit_of`.
        spread: how unequal the shares of copied units are (`grow`).
        seed: of the shares.

    Raises:
        ValueError: `fit_of` says that there is no way.
    """
    if fit_of(name, source, target, axes) is None:
        raise ValueError(f"{name}: {_shape(source.shape)} cannot become {_shape(target.shape)}; ask `fit_of` before")
    source = source.detach().cpu()
    old, new = list(source.shape), list(target.shape)
    if _without_trailing_ones(old) == _without_trailing_ones(new):
        return source.reshape(new).to(target.dtype, copy=True)
    if _is_grid(name, source, target):
        source = _resampled(source, new[-2])
    elif sides := _plane_of(name, old, new):
        source = _stretched(source, sides, new)
    elif _POSITIONS.search(name):
        source = _positions(source, new[0])
    elif _sums_planes(old, new, axes):
        # Grey samples have three equal channels: w₁x + w₂x + w₃x = (w₁ + w₂ + w₃) x.
        source = source.sum(dim=1, keepdim=True)
    return grow(source, new, axes, spread, seed).to(target.dtype, copy=True)


def _sums_planes(old: list[int], new: list[int], axes: Axes) -> bool:
    """A first convolution for coloured samples that is to take grey ones."""
    planes = (new[1], old[1]) == _PLANES if len(new) == 4 else False
    return planes and axes[1] == IN and can_grow([old[0], 1, *old[2:]], new, axes)


def _was_one_by_one(old: list[int], new: list[int], axes: Axes) -> bool:
    """Whether a convolution of each channel by itself would be given all of them: its one input is no unit to copy."""
    return len(old) > 2 and axes[1] == IN and old[1] == 1 and new[1] not in _PLANES


def _other_axes_grow(old: list[int], new: list[int], axes: Axes, *but: int) -> bool:
    """Whether all axes but some are equal or can grow."""
    return can_grow([new[index] if index in but else size for index, size in enumerate(old)], new, axes)


def _plane_of(name: str, old: list[int], new: list[int]) -> tuple[int, int] | None:
    """The axes that are height and width of a table of positions that has both; what is made of them may be a
    rectangle."""
    if not _GRID.search(name) or len(old) != len(new):
        return None
    found = [(1, 2)] if len(old) == 3 and _RELATIVE in name else [(1, 2), (2, 3)] if len(old) == 4 else []
    fits = [sides for sides in found if old[sides[0]] == old[sides[1]] > 1 and _are_all_that_differs(old, new, sides)]
    return fits[0] if len(fits) == 1 else None


def _are_all_that_differs(old: list[int], new: list[int], sides: tuple[int, int]) -> bool:
    return old != new and all(index in sides or size == new[index] for index, size in enumerate(old))


def _is_grid(name: str, source: Tensor, target: Tensor) -> bool:
    """Whether both hold one vector for each place of a square, and perhaps for a few tokens before."""
    if not _GRID.search(name) or source.ndim not in (2, 3) or source.shape[-2] == target.shape[-2]:
        return False
    if source.ndim == 3 and _RELATIVE in name:
        return False  # height and width have an axis each: `_plane_of`
    return _sides(source.shape[-2], target.shape[-2]) is not None


@dataclass(frozen=True)
class _Sides:
    """Sides of two squares, and how many tokens come before them in both."""

    old: int
    new: int
    before_old: int
    before_new: int


def _sides(old: int, new: int) -> _Sides | None:
    """Squares that tables of so many rows hold: with equally many tokens before them, or with one that is gone."""
    for before_old, before_new in _BEFORE:
        mine, other = (math.isqrt(max(rows, 0)) for rows in (old - before_old, new - before_new))
        if mine**2 == old - before_old > 0 and other**2 == new - before_new > 0:
            return _Sides(mine, other, before_old, before_new)
    return None


def _resampled(table: Tensor, places: int) -> Tensor:
    """A table [..., N, D] for another number of places: bicubic, antialiased, as timm does; tokens before are kept, as
    far as the new one has them."""
    sides = _sides(table.shape[-2], places)
    assert sides is not None, "`_is_grid` has asked"
    old, new = sides.old, sides.new
    kept, grid = table[..., : sides.before_new, :].float(), table[..., sides.before_old :, :].float()
    width = grid.shape[-1]
    planes = grid.reshape(-1, old, old, width).permute(0, 3, 1, 2)
    planes = functional.interpolate(planes, (new, new), mode="bicubic", antialias=True, align_corners=False)
    grid = planes.permute(0, 2, 3, 1).reshape(*table.shape[:-2], new * new, width)
    return torch.cat([kept, grid], dim=-2).to(table.dtype)


def _stretched(table: Tensor, sides: tuple[int, int], new: list[int]) -> Tensor:
    """A table with height and width for others, as `_resampled` does it."""
    planes = table.float().movedim(sides, (-2, -1))
    size = (new[sides[0]], new[sides[1]])
    flat = planes.reshape(1, -1, *planes.shape[-2:])
    flat = functional.interpolate(flat, size, mode="bicubic", antialias=True, align_corners=False)
    return flat.reshape(*planes.shape[:-2], *size).movedim((-2, -1), sides).to(table.dtype)


def unfit(name: str, source: Tensor | None, target: Tensor) -> str:
    """Why a tensor of the target keeps its own values, as a clause about it; empty where nothing can be said.

    Args:
        name: as in `fit_of`.
        source: the tensor that the source has under this name; None if it has none.
        target: the tensor that is left.
    """
    is_of_places = bool(_GRID.search(name) or _POSITIONS.search(name))
    if source is None:
        return "the source has no positions of this name" if is_of_places else ""
    told = f"it is {_shape(target.shape)}, but the source has {_shape(source.shape)}"
    if not _GRID.search(name) or source.ndim != target.ndim:
        return told
    rows = [(old, new) for old in _square_behind(source) for new in _square_behind(target)]
    if any(old < new for old, new in rows):
        return f"{told}, without positions for the tokens before the square"
    return f"{told}, which is no square of places" if not _square_behind(source) else told


def _square_behind(table: Tensor) -> list[int]:
    """How many tokens may come before the square of a table of positions."""
    rows = table.shape[-2]
    return [before for before in (0, 1, 2, 5) if rows > before and math.isqrt(rows - before) ** 2 == rows - before]


def _positions(table: Tensor, count: int) -> Tensor:
    """Rows for so many positions: those that both have stay, or texts that fit both would mean something else.

    Rows behind are the learned curve stretched: row i takes what lies at i (P - 1) / (P' - 1) between the P old rows.
    """
    old = table.shape[0]
    if count <= old:
        return table[:count]
    places = torch.arange(old, count, dtype=torch.float64) * (old - 1) / (count - 1)
    below = places.floor().long().clamp(max=max(old - 2, 0))
    share = (places - below)[:, None].to(table.dtype)
    stretched = table[below] * (1 - share) + table[(below + 1).clamp(max=old - 1)] * share
    return torch.cat([table, stretched])


def _without_trailing_ones(shape: list[int]) -> list[int]:
    shape = list(shape)
    while shape and shape[-1] == 1:
        shape.pop()
    return shape


def _shape(shape: list[int] | torch.Size) -> str:
    return "×".join(str(size) for size in shape) or "a number"


def is_table(axes: Axes) -> bool:
    """Whether a tensor is a table whose rows are looked up one by one."""
    return bool(axes) and axes[0].role is Role.ROWS

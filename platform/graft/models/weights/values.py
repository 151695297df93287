"""Whether the numbers of a network can be those of one that was trained: a file of zeros fits every shape."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_MATRIX = 2
"""Axes from which on a tensor of one number is odd: biases and scales often are."""


def values_problem(state: "Mapping[str, Tensor]") -> str:
    """What is wrong with the numbers of a network's tensors, and what to do; empty if nothing is."""
    numbers = {name: one for name, one in state.items() if one.is_floating_point() and one.numel()}
    odd = [name for name, one in numbers.items() if not bool(one.isfinite().all())]
    if odd:
        held = f"{len(odd)} of its tensors " + ("holds" if len(odd) == 1 else "hold")
        return f"{held} infinite values or NaN, such as `{odd[0]}`; train it anew, or name another"
    matrices = [name for name, one in numbers.items() if one.ndim >= _MATRIX and one.numel() > 1]
    same = same_throughout(state)
    if matrices and len(same) == len(matrices):
        value = float(numbers[same[0]].flatten()[0])
        return (
            f"each of its {len(same)} matrices holds one number throughout, such as {value:g} in `{same[0]}`, so "
            "nothing was learned; save the trained weights, or name another"
        )
    return ""


def same_throughout(state: "Mapping[str, Tensor]") -> list[str]:
    """Names of the matrices that hold one number throughout."""
    return [
        name
        for name, one in state.items()
        if one.is_floating_point() and one.ndim >= _MATRIX and one.numel() > 1 and bool((one == one.flatten()[0]).all())
    ]

"""Which sides of images a network can take, found by trying."""

import functools
from collections.abc import Callable

_STEPS = (28, 32)
_SMALL = (8, 14, 16, 24)
"""Sides that are tried: few, because a large network takes most of a second for each."""


def size_problem(name: str, size: int, native: int, run: Callable[[int], None]) -> str | None:
    """Why a network cannot take images of a side, with those it can, as one sentence; None if it can.

    Args:
        name: of the backbone.
        size: the side, in pixels.
        native: the side it was made for, which it can take.
        run: has the network see an image of a side; raises what networks raise.
    """
    failure = functools.cache(lambda side: _failure(run, side))
    reason = failure(size)
    if reason is None:
        return None
    sides = sorted({*_SMALL, *(side for step in _STEPS for side in range(step, native, step)), native})
    smallest = next((side for side in sides if failure(side) is None), None)
    nearest = next((side for side in sorted(sides, key=lambda side: abs(side - size)) if failure(side) is None), None)
    also = "" if nearest == smallest else f", the nearest {nearest}"
    return f"is {size}, which {name} cannot take ({reason}); the smallest that works is {smallest}{also}"


def reason_of_size(error: Exception) -> str:
    """What a network says of a size that it cannot take, on one line."""
    return " ".join(str(error).split())[:160].rstrip(". ") or type(error).__name__


def _failure(run: Callable[[int], None], side: int) -> str | None:
    try:
        run(side)
    except Exception as error:  # each network fails in its own way
        return reason_of_size(error)
    return None

"""Soups: the average of several models' weights as one model (Wortsman et al., ICML 2022).

All states must come from one starting point and hold the same tensors. What is not of a floating type, such as the
number of batches a batch norm has seen, is taken from the first.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from torch import Tensor

State = Mapping[str, Tensor]


def uniform_soup(states: Sequence[State]) -> dict[str, Tensor]:
    """The mean of all states, taken in float64, in the types of the first.

    Raises:
        ValueError: there is no state, or they hold different tensors.
    """
    _require_alike(states)
    total = _widened(states[0])
    for state in states[1:]:
        total = _plus(total, state)
    return _mean(total, len(states), states[0])


def greedy_soup(
    states: Sequence[State], score: Callable[[dict[str, Tensor]], float], mode: Literal["max", "min"]
) -> tuple[dict[str, Tensor], list[int]]:
    """Add one state after another to the average, and keep each that does not make it worse (their recipe 1).

    Args:
        states: best first.
        score: of a state, on held-out data; a NaN is worse than everything. Asked once for each state.
        mode: whether more or less of it is better.

    Returns:
        The soup, and the indices of the states in it; the first state is always in.

    Raises:
        ValueError: there is no state, or they hold different tensors.
    """
    _require_alike(states)
    total, used = _widened(states[0]), [0]
    soup = _mean(total, 1, states[0])
    best = score(soup)
    for index, state in enumerate(states[1:], start=1):
        candidate_total = _plus(total, state)
        candidate = _mean(candidate_total, len(used) + 1, states[0])
        reached = score(candidate)
        if _is_as_good(reached, best, mode):
            total, soup, best = candidate_total, candidate, reached
            used.append(index)
    return soup, used


def _is_as_good(new: float, old: float, mode: Literal["max", "min"]) -> bool:
    if math.isnan(new) or math.isnan(old):
        return not math.isnan(new)
    return new >= old if mode == "max" else new <= old


def _widened(state: State) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in state.items() if tensor.is_floating_point()}


def _plus(total: State, state: State) -> dict[str, Tensor]:
    return {name: tensor + state[name] for name, tensor in total.items()}


def _mean(total: State, count: int, first: State) -> dict[str, Tensor]:
    return {
        name: (total[name] / count).to(tensor.dtype) if name in total else tensor.clone()
        for name, tensor in first.items()
    }


def _require_alike(states: Sequence[State]) -> None:
    if not states:
        raise ValueError("there is no state, but a soup needs at least one")
    shapes = {name: tensor.shape for name, tensor in states[0].items()}
    for index, state in enumerate(states[1:], start=1):
        if {name: tensor.shape for name, tensor in state.items()} != shapes:
            raise ValueError(f"state {index} holds other tensors than state 0, but all must be of one model")

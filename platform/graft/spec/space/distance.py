"""How far two strategies are from each other in a search space: 0 where they are at the same place, 1 at the most.

A mean over the fields that vary, so that each counts alike. A number of a range is compared by its distribution
function, so orders of magnitude count alike on a logarithmic scale; options that are numbers by their places in order;
other options are one apart. What stands inside an option is compared only where both strategies have the option. With
these rules it is a metric of the places in the space: symmetric, 0 only for equal places, and no detour is shorter.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graft.spec.space.distributions import Choice, Number
from graft.spec.space.leaves import is_number
from graft.spec.space.nodes import Component, Node, Value, field_key, option_key

if TYPE_CHECKING:
    from graft.spec.space.space import StrategySpace
    from graft.spec.strategy import Strategy

_Place = Mapping[str, Number]


def distance(space: "StrategySpace", one: "Strategy", other: "Strategy") -> float:
    """The distance of two strategies in [0, 1], both drawn from the space or canonical forms of what was."""
    found = _between(space.root, "", space.coordinates(one), space.coordinates(other))
    return 0.0 if found is None else found


def _between(node: Node, key: str, one: _Place, other: _Place) -> float | None:
    """None where nothing varies."""
    match node:
        case Value():
            return None
        case Component(kind, fields):
            inside = (_between(inner, field_key(key, kind, name), one, other) for name, inner in fields)
            known = [found for found in inside if found is not None]
            return sum(known) / len(known) if known else None
        case _:
            if key not in one or key not in other:
                return float((key in one) != (key in other))
            if isinstance(node, Choice):
                return _of_options(node, key, one, other)
            return abs(node.position(one[key]) - node.position(other[key]))


def _of_options(choice: Choice, key: str, one: _Place, other: _Place) -> float:
    options = choice.options
    here, there = int(one[key]), int(other[key])
    if here == there:
        return _between(options[here], option_key(key, options, here), one, other) or 0.0
    numbers = [option.value for option in options if isinstance(option, Value) and is_number(option.value)]
    if len(numbers) < len(options):
        return 1.0
    order = sorted(numbers)
    return abs(order.index(numbers[here]) - order.index(numbers[there])) / (len(order) - 1)

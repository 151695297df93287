"""Where a strategy lies in a search space: the inverse of drawing it."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graft.spec.base import Spec, kind_of, spec_types
from graft.spec.space.distributions import Choice, RandInt, Range
from graft.spec.space.leaves import is_number, numbers_in
from graft.spec.space.nodes import Component, Node, Value, field_key, option_key
from graft.spec.strategy import Strategy

Coordinates = Iterator[tuple[str, int | float]]


def coordinates_of(root: Component, strategy: Strategy) -> dict[str, int | float]:
    """The number of each active range and the index of each active choice's option, by dotted key.

    Args:
        root: the tree of the space.
        strategy: as it was drawn, or the canonical form of that.
    """
    nodes = dict(root.fields)
    written = {name: strategy.plain(name) for name in Strategy.model_fields}
    plain = _with_drawn_rates(nodes, written)
    found = ((name, node, _Field(Strategy, name)) for name, node in root.fields)
    return {key: value for name, node, field in found for key, value in field.coordinates(node, plain.get(name), name)}


class _Field:
    """One key of a model, which knows the components that may stand there and their defaults."""

    def __init__(self, model: type[Spec], name: str) -> None:
        info = model.model_fields[name]
        self._kinds = {kind_of(spec): spec for spec in spec_types(info.annotation)}
        self.default = _plain(info.default)

    def coordinates(self, node: Node, value: Any, key: str) -> Coordinates:
        match node:
            case Value():
                return
            case Component(kind, fields):
                if math.isfinite(self.distance(node, value)):
                    for name, inner in fields:
                        inside = _Field(self._kinds[kind], name)
                        held = value.get(name, inside.default)
                        yield from inside.coordinates(inner, held, field_key(key, kind, name))
            case Choice(options):
                distances = [self.distance(option, value) for option in options]
                index = distances.index(min(distances))
                if math.isfinite(distances[index]):
                    yield key, index
                    yield from self.coordinates(options[index], value, option_key(key, options, index))
            case _:
                if is_number(value):
                    yield key, _nearest(node, value)

    def distance(self, node: Node, value: Any) -> float:
        """How far a node is from being able to hold a value: 0 if it can, infinite if they are of different kinds."""
        match node:
            case Value():
                return _distance(node.plain, value)
            case Component(kind, fields):
                if not isinstance(value, Mapping) or value.get("kind") != kind:
                    return math.inf
                given = dict(fields)
                inside = {name: _Field(self._kinds[kind], name) for name in self._kinds[kind].model_fields}
                return sum(
                    field._distance_of(given.get(name), value.get(name, field.default))
                    for name, field in inside.items()
                    if name != "kind"
                )
            case Choice(options):
                return min(self.distance(option, value) for option in options)
            case _:
                return _distance(_nearest(node, value), value) if is_number(value) else math.inf

    def _distance_of(self, node: Node | None, value: Any) -> float:
        """What is not given has its default."""
        return _distance(self.default, value) if node is None else self.distance(node, value)


def _with_drawn_rates(nodes: Mapping[str, Node], plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """Undo that the canonical form of a linear probe has one learning rate: `lr` times `head_lr_factor`.

    Otherwise the rate of such trials would be read as another one than was drawn, each time by the same factor.
    """
    if plain["freeze"] != 1 or plain["init"]["kind"] != "pretrained" or plain["head_lr_factor"] != 1:
        return plain
    default = Strategy.model_fields
    rate_node, factor_node = (nodes.get(name, Value(default[name].default)) for name in ("lr", "head_lr_factor"))
    product = plain["lr"]
    factors = [1.0, *numbers_in(factor_node), *(product / rate for rate in numbers_in(rate_node))]
    rate, factor = _Field(Strategy, "lr"), _Field(Strategy, "head_lr_factor")
    possible = [one for one in factors if factor.distance(factor_node, one) == 0]
    drawn = min(possible, key=lambda one: rate.distance(rate_node, product / one))
    return {**plain, "lr": product / drawn, "head_lr_factor": drawn}


def _plain(default: Any) -> Any:
    """A default as plain JSON, as a strategy that is written has it, unless it leaves it out."""
    if isinstance(default, tuple):
        return [_plain(one) for one in default]
    return default.model_dump(mode="json") if isinstance(default, Spec) else default


def _nearest(distribution: Range, value: float) -> int | float:
    low, high = distribution.bounds()
    inside = min(max(value, low), high)
    return round(inside) if isinstance(distribution, RandInt) else inside


def _distance(own: Any, value: Any) -> float:
    if own == value:
        return 0.0
    return abs(own - value) if is_number(own) and is_number(value) else math.inf

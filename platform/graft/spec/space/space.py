"""The search space: a strategy in which any key, at any depth, may be a distribution instead of a value."""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from graft.core.errors import Problem, SpecError
from graft.spec.base import STORED
from graft.spec.messages.rules import Finding, dotted, rejected
from graft.spec.space.coordinates import coordinates_of
from graft.spec.space.distance import distance
from graft.spec.space.distributions import Choice, Distribution, LogUniform, RandInt, Range, Uniform, name_of
from graft.spec.space.leaves import values_in
from graft.spec.space.nodes import Component, Node, Value, field_key, option_key
from graft.spec.space.reader import read_space
from graft.spec.strategy import Strategy

Pick = Callable[[str, Distribution], Any]
"""``pick(key, distribution)``: a number of a range, or one of the options of a choice."""


@dataclass(frozen=True)
class StrategySpace:
    """All strategies that a job may try.

    A key that is not given has the value it has in `Strategy()`. An option of a choice may be a component that holds
    distributions itself: those are drawn only when the option is.

    Attributes:
        root: the tree; its leaves are values and distributions.
    """

    root: Component = field(default_factory=Component)

    @classmethod
    def parse(cls, raw: Any, where: str = "strategy") -> "StrategySpace":
        """Read a space from plain data, or from a `Strategy` (a space of one).

        Args:
            raw: mapping of strategy keys to values and distributions, as a job file holds it.
            where: dotted key that `raw` stands at; starts the `where` of each problem.

        Raises:
            SpecError: some option or bound is not a legal value of its key; all such problems.
        """
        space, findings = _read(raw, stored=False)
        if findings:
            raise SpecError([Problem(dotted((where, *found.path)), found.message) for found in findings])
        return space

    def sample(self, rng: random.Random) -> Strategy:
        """Draw one strategy; the same state of `rng` gives the same one."""
        return self.build(lambda _, distribution: distribution.sample(rng))

    def build(self, pick: Pick) -> Strategy:
        """The strategy that `pick` decides on; it is asked only for what is inside the options it has chosen.

        Args:
            pick: called with the dotted key and the distribution, in an order that is always the same.
        """
        return Strategy.model_validate(_built(self.root, "", pick))

    def only(self) -> Strategy:
        """The one strategy of a space without distributions.

        Raises:
            ValueError: it has one.
        """
        if self.distributions():
            raise ValueError(f"the space holds {', '.join(self.distributions())}, but must hold no distribution")
        return self.build(lambda key, _: key)

    def widened(self, others: "Iterable[StrategySpace]") -> "StrategySpace":
        """A space in which each key may be all that it is in this one and in others, for what must hold for them all.

        That is more than the strategies of all of them: keys are combined.
        """
        spaces = [self, *others]
        if len(spaces) == 1:
            return self
        names = [name for name in Strategy.model_fields if any(name in dict(one.root.fields) for one in spaces)]
        return StrategySpace(Component(fields=tuple((name, _either(name, spaces)) for name in names)))

    def coordinates(self, strategy: Strategy) -> dict[str, int | float]:
        """Where a strategy lies: the number of each range, and the index of the option of each choice, by dotted key.

        Only what is active has a coordinate: nothing inside an option that the strategy does not have. What
        `Strategy.canonical` has moved out of the space is at the nearest place; a component of a kind that the space
        does not have is left out.
        """
        return coordinates_of(self.root, strategy)

    def distance(self, one: Strategy, other: Strategy) -> float:
        """How far two strategies are from each other, in [0, 1] (`graft.spec.space.distance`)."""
        return distance(self, one, other)

    def dimensions(self) -> int:
        """The most distributions that are active in one strategy."""
        return _active(self.root)

    def ranges(self) -> dict[str, Range]:
        """The ranges that every strategy has, by dotted key: those that are inside no option."""
        return dict(_ranges(self.root, ""))

    def grid_size(self) -> int | None:
        """How many strategies there are to draw, before `canonical()` makes some of them one; None: without end."""
        return _size(self.root)

    def values(self, key: str) -> tuple[Any, ...]:
        """The values that a key of strategy may take: all options, both bounds of a range, the kinds of a component.

        Args:
            key: key of `Strategy`, such as ``backbone``.

        Raises:
            ValueError: there is no such key.
        """
        if key not in Strategy.model_fields:
            raise ValueError(f"`{key}` is not a key of strategy, but must be one of {', '.join(Strategy.model_fields)}")
        node = dict(self.root.fields).get(key)
        if node is None:
            default = Strategy.model_fields[key].default
            return (getattr(default, "kind", default),)
        return tuple(dict.fromkeys(values_in(node)))

    def distributions(self) -> dict[str, Distribution]:
        """Every distribution by its dotted key; one inside an option has the option's kind in its key."""
        return dict(_distributions(self.root, ""))

    def varied(self) -> tuple[str, ...]:
        """The fields in which strategies of the space can differ, by the keys that `Strategy.flat` has for them."""
        return tuple(dict.fromkeys(_varied(self.root, "")))

    def dump(self) -> dict[str, Any]:
        """Plain data that `parse` reads back to an equal space."""
        return {name: _dump(node) for name, node in self.root.fields}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(cls.dump)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A place to fill: `graft.spec.schema` knows what a key of a space may be."""
        return {"type": "object"}

    @classmethod
    def _validate(cls, raw: Any, info: ValidationInfo) -> "StrategySpace":
        if isinstance(raw, cls):
            return raw
        space, findings = _read(raw, stored=bool((info.context or {}).get(STORED)))
        if findings:
            raise rejected("strategy", findings)
        return space


def _read(raw: Any, stored: bool) -> tuple[StrategySpace, list[Finding]]:
    plain = raw.model_dump(mode="json") if isinstance(raw, Strategy) else raw
    root, findings = read_space(plain, stored)
    return StrategySpace(root), findings


def _built(node: Node, key: str, pick: Pick) -> Any:
    match node:
        case Value(value):
            return value
        case Component(kind, fields):
            chosen = {"kind": kind} if kind else {}
            return chosen | {name: _built(inner, field_key(key, kind, name), pick) for name, inner in fields}
        case Choice(options):
            option = pick(key, node)
            return _built(option, option_key(key, options, options.index(option)), pick)
        case _:
            return pick(key, node)


def _either(name: str, spaces: "Sequence[StrategySpace]") -> Node:
    """A key that is what it is in any of some spaces."""
    found: dict[Node, None] = {}
    for space in spaces:
        node = dict(space.root.fields).get(name)
        if node is not None:
            found |= dict.fromkeys(node.options if isinstance(node, Choice) else [node])
    return next(iter(found)) if len(found) == 1 else Choice(tuple(found))


def _size(node: Node) -> int | None:
    match node:
        case Value():
            return 1
        case RandInt(low, high):
            return high - low + 1
        case Component(_, fields):
            return _combined((_size(inner) for _, inner in fields), math.prod)
        case Choice(options):
            return _combined((_size(option) for option in options), sum)
        case _:
            return None


def _combined(sizes: Iterator[int | None], operation: Callable[[list[int]], int]) -> int | None:
    known = list(sizes)
    finite = [size for size in known if size is not None]
    return operation(finite) if len(finite) == len(known) else None


def _distributions(node: Node, key: str) -> Iterator[tuple[str, Distribution]]:
    match node:
        case Value():
            return
        case Component(kind, fields):
            for name, inner in fields:
                yield from _distributions(inner, field_key(key, kind, name))
        case Choice(options):
            yield key, node
            for index, option in enumerate(options):
                yield from _distributions(option, option_key(key, options, index))
        case _:
            yield key, node


def _varied(node: Node, key: str) -> Iterator[str]:
    match node:
        case Value():
            return
        case Component(_, fields):
            for name, inner in fields:
                yield from _varied(inner, field_key(key, None, name))
        case Choice(options):
            yield key
            for option in options:
                yield from _varied(option, key)
            # Two options of one kind differ in what stands inside them.
            components = [option for option in options if isinstance(option, Component)]
            if len({option.kind for option in components}) < len(components):
                yield from (field_key(key, None, name) for option in components for name, _ in option.fields)
        case _:
            yield key


def _active(node: Node) -> int:
    match node:
        case Value():
            return 0
        case Component(_, fields):
            return sum(_active(inner) for _, inner in fields)
        case Choice(options):
            return 1 + max(_active(option) for option in options)
        case _:
            return 1


def _ranges(node: Node, key: str) -> Iterator[tuple[str, Range]]:
    match node:
        case Component(kind, fields):
            for name, inner in fields:
                yield from _ranges(inner, field_key(key, kind, name))
        case Uniform() | LogUniform() | RandInt():
            yield key, node


def _dump(node: Node) -> Any:
    match node:
        case Value():
            return node.plain
        case Component(str() as kind, ()):
            return kind
        case Component(kind, fields):
            return ({"kind": kind} if kind else {}) | {name: _dump(inner) for name, inner in fields}
        case Choice(options):
            return {"choice": [_dump(option) for option in options]}
        case _:
            return {name_of(node): list(node.bounds())}

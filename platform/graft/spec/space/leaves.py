"""What a key of a space may be, through all options of choices."""

from collections.abc import Iterator
from typing import Any

from graft.spec.space.distributions import Choice
from graft.spec.space.nodes import Component, Node, Value


def values_in(node: Node) -> Iterator[Any]:
    """All options, both bounds of a range, the kinds of components."""
    match node:
        case Value(value):
            yield value
        case Component(kind, _):
            yield kind
        case Choice(options):
            for option in options:
                yield from values_in(option)
        case _:
            yield from node.bounds()


def numbers_in(node: Node) -> Iterator[float]:
    """Those of the values that are numbers."""
    return (float(value) for value in values_in(node) if is_number(value))


def components_in(node: Node) -> Iterator[Component]:
    """All components that it may be."""
    match node:
        case Component():
            yield node
        case Choice(options):
            for option in options:
                yield from components_in(option)


def is_number(value: Any) -> bool:
    """Whether it is one, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)

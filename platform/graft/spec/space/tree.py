"""A search space as a tree: fields, distributions, and what must be so for a field to be there or to matter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graft.spec.space.describe import words_of
from graft.spec.space.distributions import Choice, name_of
from graft.spec.space.effects import needs_of
from graft.spec.space.nodes import Component, Node, Value, field_key, option_key
from graft.spec.space.space import StrategySpace


@dataclass(frozen=True)
class Line:
    """A line of the tree for people.

    Attributes:
        depth: how many fields it is inside of.
        name: of the field, or the option that what follows belongs to.
        text: its values.
    """

    depth: int
    name: str
    text: str


def tree_of(space: StrategySpace) -> list[dict[str, Any]]:
    """The fields of a space as plain JSON.

    A field has its `name`, its dotted `key` (as in `StrategySpace.distributions`), `when` (which option of which choice
    it is inside of; empty for one that every strategy has), `needs` (in words, None where it always matters), and

    - ``value``: the one it has; or
    - ``distribution``: ``uniform``, ``loguniform``, ``randint``, with `low` and `high`; or ``choice``, with `options`;
      an option has a ``value``, a ``distribution``, or a ``kind`` with its own `fields`; or
    - ``kind``, the component it is (None if it is no union), and `fields`.
    """
    return _fields(space, space.root, "", [])


def lines_of(space: StrategySpace) -> Iterator[Line]:
    """The fields of a space for people, those inside an option below it."""
    return _lines(space.root, 0)


def _fields(space: StrategySpace, component: Component, key: str, when: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for name, node in component.fields:
        own = field_key(key, component.kind, name)
        told = {"name": name, "key": own, "when": when, "needs": needs_of(space, own)}
        found.append(told | _node(space, node, own, when))
    return found


def _node(space: StrategySpace, node: Node, key: str, when: list[dict[str, Any]]) -> dict[str, Any]:
    match node:
        case Value():
            return {"value": node.plain}
        case Component(kind, _):
            return {"kind": kind, "fields": _fields(space, node, key, when)}
        case Choice(options):
            inside = [
                _node(space, option, option_key(key, options, index), [*when, {"key": key, "option": index}])
                for index, option in enumerate(options)
            ]
            return {"distribution": "choice", "options": inside}
        case _:
            low, high = node.bounds()
            return {"distribution": name_of(node), "low": low, "high": high}


def _lines(component: Component, depth: int) -> Iterator[Line]:
    for name, node in component.fields:
        if isinstance(node, Component):
            yield Line(depth, name, node.kind or "")
            yield from _lines(node, depth + 1)
            continue
        yield Line(depth, name, _short(node))
        for option in node.options if isinstance(node, Choice) else ():
            if isinstance(option, Component) and option.fields:
                yield Line(depth + 1, f"if {option.kind}" if option.kind else "option", "")
                yield from _lines(option, depth + 2)


def _short(node: Node) -> str:
    if not isinstance(node, Choice):
        return words_of(node)
    return " | ".join(
        option.kind or "…" if isinstance(option, Component) else words_of(option) for option in node.options
    )

"""A search space in words, for the plan."""

from graft.spec.space.distributions import Choice, LogUniform, RandInt, Uniform
from graft.spec.space.nodes import Component, Node, Value
from graft.spec.space.space import StrategySpace


def describe_space(space: StrategySpace) -> str:
    """Every key that is given, on one line: ``freeze 0, 0.5 or 1; lr 0.0005 to 0.006 (log); resolution 128``."""
    return "; ".join(f"{name} {words_of(node)}" for name, node in space.root.fields)


def words_of(node: Node) -> str:
    """One node: ``0, 0.5 or 1``, ``0.0005 to 0.006 (log)``, ``l2 (strength 0.01)``."""
    match node:
        case Value(tuple() as several):
            return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in several)
        case Value(value):
            return f"{value:g}" if isinstance(value, float) else str(value)
        case Component(kind, fields):
            inside = ", ".join(f"{name} {words_of(inner)}" for name, inner in fields)
            return " ".join(filter(None, [kind, f"({inside})" if inside else ""]))
        case Choice(options):
            words = [words_of(option) for option in options]
            return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
        case Uniform(low, high) | RandInt(low, high):
            return f"{low:g} to {high:g}"
        case LogUniform(low, high):
            return f"{low:g} to {high:g} (log)"

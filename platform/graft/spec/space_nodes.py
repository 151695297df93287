"""The nodes of a search space. Frozen and comparable, so a space can be hashed, pickled and compared."""

from dataclasses import dataclass

from graft.spec.distributions import Distribution


@dataclass(frozen=True)
class Value:
    """A leaf with one legal value of its key."""

    value: str | int | float | bool


@dataclass(frozen=True)
class Component:
    """A mapping of keys to nodes.

    Attributes:
        kind: which member of the union it is; None for the strategy itself.
        fields: only what was given, in the order the model declares, so that the order in the file changes no draw.
    """

    kind: str | None = None
    fields: tuple[tuple[str, "Node"], ...] = ()


Node = Value | Component | Distribution

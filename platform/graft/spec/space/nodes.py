"""The nodes of a search space. Frozen and comparable, so a space can be hashed, pickled and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graft.spec.base import Spec
from graft.spec.space.distributions import Distribution


@dataclass(frozen=True)
class Value:
    """A leaf with one legal value of its key; a list is a value as a whole."""

    value: str | int | float | bool | tuple[Spec, ...] | tuple[float, ...] | tuple[str, ...]

    @property
    def plain(self) -> Any:
        """The value as plain JSON."""
        if not isinstance(self.value, tuple):
            return self.value
        return [one.model_dump(mode="json") if isinstance(one, Spec) else one for one in self.value]


@dataclass(frozen=True)
class Component:
    """A mapping of keys to nodes.

    Attributes:
        kind: which member of the union it is; None for the strategy itself, and for what is no union.
        fields: only what was given, in the order the model declares, so that the order in the file changes no draw.
    """

    kind: str | None = None
    fields: tuple[tuple[str, "Node"], ...] = ()


Node = Value | Component | Distribution


def field_key(key: str, kind: str | None, name: str) -> str:
    """Dotted key of a field of the component at `key`: ``penalty.l2_sp.strength``."""
    return ".".join(part for part in (key, kind, name) if part)


def option_key(key: str, options: Sequence[Node], index: int) -> str:
    """Dotted key of an option of the choice at `key`, so that no two distributions of a space share one.

    It is the key of the choice. An option that is a distribution itself, or a component of the same kind as another
    option, has its place in the list behind it: ``lr[1]``.
    """
    option = options[index]
    if isinstance(option, Component):
        alike = sum(isinstance(other, Component) and other.kind == option.kind for other in options)
        return key if alike == 1 else f"{key}[{index}]"
    return key if isinstance(option, Value) else f"{key}[{index}]"

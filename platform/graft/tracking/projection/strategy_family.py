"""Which family a strategy belongs to: what runs are grouped by when strategies are compared."""

from collections.abc import Mapping
from typing import Any

# Components whose kind makes another family; the rest of a strategy is how the family is tuned.
_TELLING = ("init", "penalty")
_PLAIN = (None, "none", "pretrained")


def family(strategy: Mapping[str, Any]) -> str:
    """The family of a strategy, such as ``linear probe`` or ``partly frozen + l2_sp``.

    How much of the backbone is trained comes first; then what is added to it or holds it back.

    Args:
        strategy: as a plain mapping, as the journal has it.
    """
    kinds = [_kind(strategy.get(name)) for name in _TELLING]
    return " + ".join([_depth(strategy.get("freeze", 0.0)), *(kind for kind in kinds if kind not in _PLAIN)])


def _depth(freeze: Any) -> str:
    if not isinstance(freeze, int | float) or freeze <= 0:
        return "full fine-tuning"
    return "linear probe" if freeze >= 1 else "partly frozen"


def _kind(component: Any) -> Any:
    return component.get("kind") if isinstance(component, Mapping) else component

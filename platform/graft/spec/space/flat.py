"""Dotted keys of what is written as mappings in mappings."""

from collections.abc import Iterator, Mapping
from typing import Any


def flattened(value: Mapping[str, Any], key: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values of a stored strategy by their dotted keys, as `Strategy.flat` has them."""
    for name, inner in value.items():
        path = key if name == "kind" and key else f"{key}.{name}" if key else name
        if isinstance(inner, Mapping):
            yield from flattened(inner, path)
        else:
            yield path, _one_value(inner)


def _one_value(value: Any) -> Any:
    """A list of specs as one text: ``flip 0.5 0.5, rotate 0.5 0.2``."""
    if not isinstance(value, list):
        return value
    return ", ".join(" ".join(map(str, one.values())) if isinstance(one, dict) else str(one) for one in value)

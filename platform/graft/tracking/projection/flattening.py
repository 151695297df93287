"""From nested mappings to the flat text params of a tracking store, without secrets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from graft.core.credentials import HIDDEN, is_secret, redact


def flatten(value: Mapping[str, Any]) -> dict[str, str]:
    """One level of texts, keys joined by dots, in the order of the mapping.

    A component stands under its own name, its parameters below it: ``{"penalty": {"kind": "l2", "strength": 0.1}}``
    becomes ``{"penalty": "l2", "penalty.strength": "0.1"}``. Lists become JSON, None is left out, and what looks like a
    secret by its key, or a login or token in a URL, becomes ``***``: params of a tracking store can be read by
    everybody.
    """
    return dict(_leaves("", value))


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = key if name == "kind" and key else f"{key}.{name}" if key else str(name)
            yield from _leaves(inner, item)
        return
    if value is None:
        return
    yield key, HIDDEN if is_secret(key) else redact(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | bool):
        return json.dumps(value, default=str)
    return str(value)

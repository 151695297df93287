"""JSON objects that name no key twice: the last value would win without a word."""

import json
from collections.abc import Iterable
from typing import Any


class DuplicateKeyError(ValueError):
    """An object gives a key twice.

    Attributes:
        key: the key.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        shown = self.key if len(self.key) <= 40 else f"{self.key[:40]}…"
        return f"gives the key `{shown}` twice in one object, but must give it once; remove one of the two"


def loads(text: str | bytes) -> Any:
    """What a JSON text holds.

    Raises:
        DuplicateKeyError: an object in it gives a key twice.
        ValueError: it is no JSON.
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DuplicateKeyError(key)
        found[key] = value
    return found

"""Texts that a program holds, as cells of a table."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from graft.modalities.text.serving import RowText, text_of


class TextCells:
    """How texts are kept."""

    kind = pa.string()

    def fingerprint(self, value: Any) -> bytes:
        """Its bytes."""
        if isinstance(value, Path | RowText):
            value = self.stored(value)
        return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else b""

    def stored(self, value: Any) -> str | None:
        """The text itself.

        Raises:
            ValueError: it is no text.
        """
        if isinstance(value, Path | RowText):
            value = text_of(value, "utf-8")
        if value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType":
            return None
        if not isinstance(value, str):
            raise ValueError(f"is of type {type(value).__name__}, but must be a text; name another column")
        return value.encode("utf-8", "replace").decode()


def cells_for(first: Any) -> TextCells:
    """How texts are kept."""
    return TextCells()


def is_sample(value: Any) -> bool:
    """Whether a value is a text."""
    return isinstance(value, str)

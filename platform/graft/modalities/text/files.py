"""A text from a source, or the reason why not; readers are small and picklable, because they run on any machine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from graft.data.contents.parts import Contents
from graft.data.read import Unreadable, read_file
from graft.modalities.text.checks.characters import without_invisible
from graft.modalities.text.checks.repairs import repaired
from graft.modalities.text.file_names import foreign_reason, wide_reason

MAX_TEXT_BYTES = 64 * 1024**2
"""No text is longer; a disk image named .txt must not be read into memory to find that out."""


_SHORT = 200
_START = 1024
_HALF = re.compile("[\ud800-\udfff]")


class EmptyText(Unreadable):
    """A text with nothing in it."""

    kind = "empty_text"


class TextReader(Protocol):
    """Gives the text behind an entry of `Listing.sources`; raises `Unreadable`."""

    def __call__(self, source: bytes) -> str: ...


@dataclass(frozen=True)
class InlineText:
    """The source is the text itself, as UTF-8."""

    def __call__(self, source: bytes) -> str:
        return decoded(source, "utf-8")


@dataclass(frozen=True)
class TextFile:
    """The source is a file's absolute path in the file system's own bytes.

    Attributes:
        encoding: of the file.
    """

    encoding: str = "utf-8"

    def __call__(self, source: bytes) -> str:
        content = read_file(source, MAX_TEXT_BYTES)
        if reason := foreign_reason(content[:_START]) or wide_reason(content[:_START], self.encoding):
            raise Unreadable(reason)
        return decoded(content, self.encoding)


@dataclass(frozen=True)
class EncodedText:
    """The text lies, as in a file, in something larger.

    Attributes:
        contents: gives the bytes behind a source.
        encoding: of the text.
    """

    contents: Contents
    encoding: str = "utf-8"

    def __call__(self, source: bytes) -> str:
        return decoded(self.contents(source), self.encoding)


def decoded(content: bytes, encoding: str) -> str:
    """A text, without byte order mark.

    Raises:
        Unreadable: empty, of another encoding, or no text.
    """
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        told = f"byte {error.start + 1} is 0x{content[error.start]:02x}"
        raise Unreadable(f"is not {name} text ({told}); set data.encoding, such as cp1252") from None
    except UnicodeError as error:  # some codecs do not say where
        raise Unreadable(f"is not {encoding} text ({error})") from None
    return usable(text)


def usable(text: str, repairs: Sequence[str] = ()) -> str:
    """The same text, repaired.

    Args:
        text: as it was read.
        repairs: what is to be mended in it (`graft.modalities.text.checks.repairs`).

    Raises:
        Unreadable: there is nothing in it, or something that is in no text.
    """
    if "\0" in text:
        raise Unreadable("holds NUL characters, so it is not a text")
    if (half := _HALF.search(text)) is not None:  # as a shell gives bytes that are no UTF-8, and JSON may say \\ud800
        raise Unreadable(f"holds half a character (U+{ord(half[0]):04X}), so it is not a text")
    _require_something(text)
    if not repairs:
        return text
    text = repaired(text, repairs)
    _require_something(text)
    return text


def _require_something(text: str) -> None:
    if not text or text.isspace():
        raise EmptyText("is empty")
    if len(text) <= _SHORT and not without_invisible(text).strip():
        raise EmptyText("holds nothing but characters that nobody sees")

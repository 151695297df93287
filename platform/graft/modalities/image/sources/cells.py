"""Images that lie in a table themselves: bytes in a column, or their text in base64."""

import base64
import binascii
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from graft.data.read import Unreadable

_LOOKED_AT = 20
_URL = re.compile(rb"data:[\w.+-]{1,64}/[\w.+-]{1,64};base64,")
# How the files of known formats begin, in base64.
_BEGINS = (b"iVBORw0KGgo", b"/9j/", b"UklGR", b"R0lGOD", b"SUkqA", b"TU0AK", b"Qk0", b"Qk1", b"Qk2", b"Qk3")
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{64,}={0,2}\s*")


@dataclass(frozen=True)
class Base64Contents:
    """The source is the content of a file in base64, alone or as a ``data:`` URL."""

    def __call__(self, source: bytes) -> bytes:
        """The bytes.

        Raises:
            Unreadable: there are none, or it is no base64.
        """
        found = _URL.match(source)
        text = source[found.end() :] if found else source
        if not text:
            raise Unreadable("is empty")
        try:
            return base64.b64decode(b"".join(text.split()), validate=True)
        except binascii.Error as error:
            raise Unreadable(f"is no base64 ({error})") from error


def are_base64(cells: Sequence[bytes]) -> bool:
    """Whether the first cells that hold something are files in base64, and not the names of files."""
    some = list(itertools.islice((one for one in cells if one), _LOOKED_AT))
    return bool(some) and all(_URL.match(one) or (one.startswith(_BEGINS) and _BASE64.fullmatch(one)) for one in some)

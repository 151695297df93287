"""The files that cells of a table name."""

import os
import unicodedata
from pathlib import Path


def file_beside(table: Path, name: bytes) -> bytes:
    """The path of a file that a cell names; relative names start at the table's directory.

    A name with accents is found in either of the forms that it can be typed in: tables mostly have the one, and disks
    that a Mac has written the other.
    """
    path = os.path.join(os.fsencode(table.parent), name)
    if path.isascii() or b"\0" in path or os.path.lexists(path):
        return path
    typed = os.fsdecode(name)
    forms = (os.fsencode(unicodedata.normalize(form, typed)) for form in ("NFC", "NFD"))
    others = (os.path.join(os.fsencode(table.parent), form) for form in forms)
    return next((other for other in others if os.path.lexists(other)), path)

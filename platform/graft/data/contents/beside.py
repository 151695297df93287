"""The files that cells of a table name, on this machine or in a store."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from graft.data.folders.paths import size_and_time
from graft.data.remote.address import beside, is_remote_source


def file_beside(table: Path | str, name: bytes) -> bytes:
    """The path of a file that a cell names, or its address; relative names start at the table's directory.

    A table in a store names nothing on this machine: ``/a`` is an `a` at the top of its bucket or server.

    A name with accents is found in either of the forms that it can be typed in: tables mostly have the one, and disks
    that a Mac has written the other. One that was written on Windows is found by its backslashes, and one with blanks
    around it, as they stand behind a comma, without them.
    """
    if is_remote_source(name):
        return name
    if isinstance(table, str):
        return os.fsencode(beside(table, os.fsdecode(name)))
    path = os.path.join(os.fsencode(table.parent), name)
    is_plain = path.isascii() and b"\\" not in name and name == name.strip()
    if is_plain or b"\0" in path or os.path.lexists(path):
        return path
    typed = os.fsdecode(name).replace("\\", "/").strip()
    forms = (os.fsencode(unicodedata.normalize(form, typed)) for form in ("NFC", "NFD"))
    others = (os.path.join(os.fsencode(table.parent), form) for form in forms)
    return next((other for other in others if os.path.lexists(other)), path)


def reason_unreadable(path: str, size: int) -> str:
    """Why the file that a row names cannot be read, as far as its size tells (`stamps_of`); empty if it may be."""
    if size < 0:
        return "row whose file is not there" if path else "row without a file"
    return "" if size else "row whose file is empty"


def stamps_of(files: Sequence[bytes]) -> list[tuple[int, int | str]]:
    """Size and time of change, or version, of files and of what lies at addresses; -1 where there is nothing.

    Raises:
        ResourceError: a store lacks credentials, or cannot be reached.
    """
    if not any(map(is_remote_source, files)):
        return [size_and_time(file) for file in files]
    from graft.data.remote.folders import stamps_of as remote_stamps_of  # its libraries take a second

    remote = [os.fsdecode(file) for file in files if is_remote_source(file)]
    found = dict(zip(remote, remote_stamps_of(remote), strict=True))
    return [found.get(os.fsdecode(file)) or size_and_time(file) for file in files]

"""What the beginning of a file of weights tells: whether it is whole, of a known format, and free of foreign code.

No torch: `graft validate` asks. Nothing is unpickled; the instructions of a pickle are read one by one.
"""

import json
import pickletools
import zipfile
from pathlib import Path
from typing import IO, Any

from graft.core.passing_errors import machine_errors
from graft.core.storage import pointer_reason

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_MOST_HEADER = 100_000_000
"""Bytes of a safetensors header, by its specification."""
_LENGTH = 8
_PICKLE = b"\x80"
# Before the tensors, a file of torch before 1.6 has a number, a version and the system's sizes.
_LEGACY_PICKLES = 4
# Of these torch's own reader takes names when it is told to read weights only; which, it says when it reads.
_OF_TENSORS = frozenset({"torch", "collections", "_codecs"})
_PLAIN = frozenset({"builtins bytearray", "builtins set", "builtins complex"})


class _DamageError(ValueError):
    """Why a file is none of weights, in a few words."""


class _CodeError(Exception):
    """A pickle names what is no tensor."""


def file_problem(path: Path) -> str | None:
    """Why a file holds no weights, as one sentence, as far as its beginning tells; None if it may.

    Raises:
        ResourceError: it cannot be read at the moment, for lack of memory or permission, say.
    """
    named = f"weights file {path}"
    if not path.is_file():
        return f"{named} does not exist"
    if path.suffix not in SUFFIXES:
        return f"{named} ends in `{path.suffix}`, but must end in {', '.join(SUFFIXES)}"
    try:
        with machine_errors(path, is_ours=True), path.open("rb") as stream:
            reason = pointer_reason(stream.read(64))
            if reason:
                return f"{named} {reason}"
            stream.seek(0)
            (_check_safetensors if path.suffix == ".safetensors" else _check_pickled)(stream, path.stat().st_size)
    except _DamageError as error:
        return f"{named} is damaged or of another format ({error})"
    except _CodeError:
        return (
            f"{named} is damaged or holds more than tensors, which graft never unpickles; "
            "save the state dict as .safetensors"
        )
    return None


def _check_safetensors(stream: IO[bytes], size: int) -> None:
    length = int.from_bytes(stream.read(_LENGTH), "little")
    if not 0 < length <= min(_MOST_HEADER, size - _LENGTH):
        raise _DamageError("it has no header of safetensors")
    try:
        header = json.loads(stream.read(length))
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
        needed = _LENGTH + length + max(ends, default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise _DamageError("its header is none of safetensors") from None
    if needed != size:
        told = "it is cut off" if size < needed else "it is longer"
        raise _DamageError(f"it has {size:,} bytes, but its header tells of {needed:,}: {told}")


def _check_pickled(stream: IO[bytes], size: int) -> None:
    start = stream.read(len(_PICKLE))
    stream.seek(0)
    if start == _PICKLE:
        for _ in range(_LEGACY_PICKLES):
            _check_pickle(stream)
            if stream.tell() == size:
                return  # no file of torch, which its reader says
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            if name is None:
                raise _DamageError("it is a zip archive, but none of torch.save")
            with archive.open(name) as inner:
                _check_pickle(inner)
    except zipfile.BadZipFile:
        raise _DamageError("it is cut off, or not written by torch.save") from None


def _check_pickle(stream: IO[bytes]) -> None:
    try:
        for operation, argument, _ in pickletools.genops(stream):
            if operation.name == "STACK_GLOBAL" or (operation.name == "GLOBAL" and not _is_of_tensors(argument)):
                raise _CodeError
    except (ValueError, zipfile.BadZipFile, EOFError):
        raise _DamageError("its pickle is cut off") from None


def _is_of_tensors(named: Any) -> bool:
    name = str(named)
    return name in _PLAIN or name.partition(" ")[0].partition(".")[0] in _OF_TENSORS

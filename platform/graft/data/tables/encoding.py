"""Files of text in any encoding, and where one does not hold what it should."""

import codecs
import stat
from pathlib import Path

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.core.storage import pointer_reason
from graft.core.uris import advice_for_missing

_CHUNK = 1 << 20
_START = 1 << 12
MAX_LINE_BYTES = 64 * 1024**2
"""No line of a table is longer; a disk image named .csv must not be read into memory to find that out."""
# What is in files that are called a table of text, and are none.
_OTHERS = {
    b"\x1f\x8b": "is compressed by gzip; unpack it (gzip -d)",
    b"PK\x03\x04": "is a zip archive or an Excel workbook; unpack it, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook; save it as CSV",
    b"PAR1": "is Parquet; name it .parquet",
    b"ARROW1": "is Arrow; name it .arrow",
    b"<!DOCTYPE html": "is a web page; download the table again",
    b"<html": "is a web page; download the table again",
    b"\x28\xb5\x2f\xfd": "is compressed by Zstandard; unpack it (zstd -d)",
    b"BZh": "is compressed by bzip2; unpack it (bzip2 -d)",
    b"\xfd7zXZ": "is compressed by xz; unpack it (xz -d)",
    b"7z\xbc\xaf": "is a 7-Zip archive; unpack it",
    b"Rar!": "is a RAR archive; unpack it",
    b"SQLite format 3": "is a SQLite database; export the table as CSV",
    b"%PDF-": "is a PDF; save the table as CSV",
    b"{\\rtf": "is rich text; save it as plain text",
    b"<?xml": "is XML; save the table as CSV",
}
_WIDE = ("utf-16-le", "utf-16-be")
_TABLE_MARKS = ("\n", ",", "\t", ";", '"')
# In this order: what begins UTF-32 begins with what begins UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def require_file(path: Path) -> Path:
    """The path of a regular file that holds something.

    Raises:
        DataError: it is missing, a directory, a device, or empty.
    """
    try:
        with machine_errors(path):
            found = path.stat()
    except FileNotFoundError:
        raise DataError(f"data.path is {path}, but there is nothing there; {advice_for_missing(path)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    if stat.S_ISDIR(found.st_mode):
        raise DataError(f"data.path is {path}, but must be a file, not a directory; name the table in it")
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"data.path is {path}, but must be a regular file; save the table to one")
    if found.st_size == 0:
        raise DataError(f"{path} is empty, but must hold a table with a header")
    if reason := pointer_reason(_start_of(path)):
        raise DataError(f"{path} {reason}")
    return path


def _start_of(path: Path) -> bytes:
    try:
        with machine_errors(path), path.open("rb") as stream:
            return stream.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error


def wide_encoding_of(path: Path) -> str:
    """The name of the UTF-16 or UTF-32 that a file seems to be; empty if it is another text."""
    with path.open("rb") as stream:
        start = stream.read(_START)
    return marked_encoding(start) or _wide_encoding(start)


def is_utf8(encoding: str) -> bool:
    """Whether it is a name of UTF-8."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def decoder_of(encoding: str) -> codecs.IncrementalDecoder:
    """What decodes an encoding, a piece at a time.

    Raises:
        DataError: there is no such encoding, or it is none of texts.
    """
    try:
        "".encode(encoding)
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, TypeError, ValueError):
        rule = "but must be one that Python knows, such as utf-8, cp1252 or latin-1"
        raise DataError(f"data.encoding is `{encoding}`, {rule}") from None


def check_encoding(path: Path, encoding: str) -> None:
    """Read a file once, to find out whether it is text of an encoding.

    Raises:
        DataError: there is no such encoding, or a byte is not of it, or is NUL, or a line is too long; the message
            names its line.
    """
    decoder = decoder_of(encoding)
    try:
        with machine_errors(path), path.open("rb") as stream:
            start = stream.read(16)
            _check_form(path, start)
            _check_mark(path, start, encoding)
            stream.seek(0)
            _scan(path, stream, decoder, encoding)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error


def _check_form(path: Path, start: bytes) -> None:
    if told := foreign_form(start):
        raise DataError(f"{path} is called {path.suffix}, but {told}")


def foreign_form(start: bytes) -> str:
    """What a file is that begins so and is no table of text, and what to do about it; empty if it may be one."""
    return next((told for mark, told in _OTHERS.items() if start.lower().startswith(mark.lower())), "")


def _check_mark(path: Path, start: bytes, encoding: str) -> None:
    wanted = marked_encoding(start)
    if wanted and not codecs.lookup(encoding).name.startswith(wanted):
        raise DataError(
            f"{path} is {wanted.upper()} text, but data.encoding is {encoding}; set data.encoding: {wanted}"
        )


def marked_encoding(start: bytes) -> str:
    """The UTF-16 or UTF-32 that a mark at the beginning of a text names; empty if there is none."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "")


def _scan(path: Path, stream: "codecs._ReadableStream", decoder: codecs.IncrementalDecoder, encoding: str) -> None:
    line, offset, begin = 1, 0, 0
    while True:
        chunk = stream.read(_CHUNK)
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = offset - held + error.start
            line += error.object[: error.start].count(b"\n")
            raise _not_of(path, line, at, error.object[error.start], encoding) from None
        except UnicodeError as error:  # some codecs do not say where
            raise DataError(f"{path} is not {encoding} text ({error}); name the encoding it has") from None
        nul = text.find("\0")
        if nul >= 0 and (other := _wide_encoding(chunk)):
            raise DataError(
                f"{path} looks like UTF-16 text without a mark at its start, but data.encoding is {encoding}; set "
                f"data.encoding: {other}"
            )
        if nul >= 0:
            line += text.count("\n", 0, nul)
            raise DataError(f"{path}, line {line} holds a NUL character, so it is no text; remove it or check the file")
        if not chunk:
            return
        line += text.count("\n")
        last = chunk.rfind(b"\n")
        begin = offset + last + 1 if last >= 0 else begin
        offset += len(chunk)
        if offset - begin > MAX_LINE_BYTES:
            most = MAX_LINE_BYTES >> 20
            raise DataError(f"{path}, line {line} is longer than {most} MiB, but no sample is; is it the right file?")


def _wide_encoding(chunk: bytes) -> str:
    """The UTF-16 that bytes seem to be, by the marks that every table has; empty if they are none."""
    start = chunk[:_START]
    counts = {name: _count_marks(start, name) for name in _WIDE}
    first, second = sorted(_WIDE, key=lambda name: -counts[name])
    # NULs that are strays stand at odd places as often as at even ones.
    others = max(counts[second], _count_marks(start[1:], first))
    return first if counts[first] >= max(2, len(start) // 400) and counts[first] > 4 * others else ""


def _count_marks(piece: bytes, encoding: str) -> int:
    return sum(map(piece.decode(encoding, "replace").count, _TABLE_MARKS))


def _not_of(path: Path, line: int, offset: int, byte: int, encoding: str) -> DataError:
    name = "UTF-8" if is_utf8(encoding) else encoding
    other = "such as `data.encoding: cp1252`" if is_utf8(encoding) else "such as utf-8"
    return DataError(
        f"{path}, line {line} is not {name} text (byte {offset + 1} of the file is 0x{byte:02x}); name the encoding it "
        f"has, {other}, or save it as UTF-8"
    )

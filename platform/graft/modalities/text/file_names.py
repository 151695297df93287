"""Which files are texts by their names."""

import os
import re
from dataclasses import replace
from functools import partial

from graft.core.storage import pointer_reason
from graft.data.folders.paths import SampleFiles
from graft.data.tables.encoding import decoder_of, is_utf8, marked_encoding

SUFFIX = ".txt"
# A class, and where its object is in the picture: four shares or more, on each line.
_BOX = re.compile(rb"\d{1,4} 0?\.\d+(?: (?:0?\.\d+|[01](?:\.0*)?)){3,}(?: [01.]?\.?)?")
_LINES, _LINE_BYTES = 3, 512
# What is called a text and is something else, by how it begins.
_OTHERS = {
    b"PK\x03\x04": "a zip archive or an office document (.docx, .xlsx)",
    b"\xd0\xcf\x11\xe0": "an office document (.doc, .xls)",
    b"%PDF-": "a PDF",
    b"{\\rtf": "rich text",
    b"\x1f\x8b": "compressed by gzip",
    b"SQLite format 3": "a SQLite database",
    b"PAR1": "Parquet",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


def _is_text(path: str) -> bool:
    return os.path.splitext(path)[1].lower() == SUFFIX


def are_boxes(start: bytes) -> bool:
    """Whether a file that begins so holds boxes of objects in a picture, as YOLO writes them."""
    lines = start[:_LINE_BYTES].strip().splitlines()[:_LINES]
    return bool(lines) and all(_BOX.fullmatch(line.strip()) for line in lines)


def foreign_reason(start: bytes) -> str:
    """Why a file that begins so is no text to learn from, to follow its name; empty if it may be one."""
    if are_boxes(start):
        return "holds boxes of objects as YOLO writes them, but must hold a text; name the pictures, with their classes"
    other = next((name for mark, name in _OTHERS.items() if start.startswith(mark)), "")
    return f"is {other}, but must be plain text; save it as .txt" if other else pointer_reason(start)


TEXT_FILES = SampleFiles("texts", _is_text, SUFFIX, foreign_reason)


def text_files_in(encoding: str) -> SampleFiles:
    """Files of texts in an encoding: of another one, they cannot be read."""
    return replace(TEXT_FILES, foreign=partial(_reason_in, encoding))


def _reason_in(encoding: str, start: bytes) -> str:
    return "holds nothing but blanks" if start.isspace() else foreign_reason(start) or encoding_reason(start, encoding)


def wide_reason(start: bytes, encoding: str) -> str:
    """Why a text with such a mark at its beginning is none of this encoding; empty if it may be."""
    wide = marked_encoding(start)
    if not wide or not is_utf8(encoding):
        return ""
    return f"is {wide.upper()} text, but data.encoding is {encoding}; set data.encoding: {wide}, or save it as UTF-8"


def encoding_reason(start: bytes, encoding: str) -> str:
    """Why a file that begins so is no text of an encoding, to follow its name; empty if it may be one."""
    if reason := wide_reason(start, encoding):
        return reason
    try:
        decoder_of(encoding).decode(start)  # the last letter may have been cut
    except UnicodeDecodeError as error:
        name = "UTF-8" if is_utf8(encoding) else encoding
        told = f"byte {error.start + 1} is 0x{error.object[error.start]:02x}"
        return f"is not {name} text ({told}); set data.encoding, such as cp1252"
    except UnicodeError:  # who reads it all says where
        return ""
    return ""

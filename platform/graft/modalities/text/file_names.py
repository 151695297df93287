"""Which files are texts by their names."""

import os
import re

from graft.core.storage import pointer_reason
from graft.data.folders.paths import SampleFiles

SUFFIX = ".txt"
# A class, and where its object is in the picture: four shares or more, on each line.
_BOX = re.compile(rb"\d{1,4} 0?\.\d+(?: (?:0?\.\d+|[01](?:\.0*)?)){3,}(?: [01.]?\.?)?")
_LINES, _LINE_BYTES = 3, 512


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
    return pointer_reason(start)


TEXT_FILES = SampleFiles("texts", _is_text, SUFFIX, foreign_reason)

"""Which files are texts by their names."""

import os

from graft.core.storage import pointer_reason
from graft.data.folders.paths import SampleFiles

SUFFIX = ".txt"


def _is_text(path: str) -> bool:
    return os.path.splitext(path)[1].lower() == SUFFIX


TEXT_FILES = SampleFiles("texts", _is_text, SUFFIX, pointer_reason)

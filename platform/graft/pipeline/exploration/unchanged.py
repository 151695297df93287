"""Whether a sample is what it was when an exploration read it: its label, and its features, are of that one.

Names stay when contents change: a table that was sorted has other texts in the same rows.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.data.read import Unreadable, read_file


def content_digest(sample: Any) -> str:
    """Of the bytes behind a sample; empty where they cannot be had now, or a kind of sample does not show them.

    Args:
        sample: as the modality's reader takes it.
    """
    try:
        content = _content(sample)
    except (Unreadable, OSError):  # said by whoever needs the sample itself
        return ""
    return "" if content is None else blake2b(content, digest_size=16).hexdigest()


def require_unchanged(name: str, sample: Any, contents: Mapping[str, str], source: str) -> None:
    """Raise if a sample is not what it was.

    Args:
        name: its id.
        sample: as it is now.
        contents: digests by ids, as they were; those of before they were kept are empty.
        source: of the samples.

    Raises:
        DataError: another sample has its name now.
    """
    was = contents.get(name, "")
    now = content_digest(sample) if was else ""
    if now and now != was:
        told = (
            f"{name} of {source} is not the sample that it was when the exploration began, so labels would be mixed up"
        )
        raise DataError(f"{told}; put the samples back as they were, or begin another one with --name")


def _content(sample: Any) -> bytes | None:
    match sample:
        case Path():
            return read_file(sample)
        case bytes():
            return sample
        case str():
            return sample.encode("utf-8", "surrogatepass")
        case np.ndarray():
            return f"{sample.dtype} {sample.shape}".encode() + np.ascontiguousarray(sample).tobytes()
    content = getattr(sample, "content", None)  # of cells of tables
    return content() if callable(content) else None

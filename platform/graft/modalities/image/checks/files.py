"""Files that are not what their names say, or hold more than the pixels that are looked at."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.spec.checks.pictures import FileFormCheck

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
}


def odd_files(spec: FileFormCheck, examined: Examined) -> Iterator[Found]:
    """Wrong names, several frames, transparency, more than 8 bits, odd colours."""
    signs = examined.signs
    if "format" not in signs:
        return
    yield _wrong_names(signs["format"], signs["suffix"])
    for kind, name in (("animated", "animated"), ("transparency", "transparent"), ("sixteen_bit", "deep")):
        yield Found(kind, np.flatnonzero(signs[name]).astype(np.int64))
    rows = np.flatnonzero(signs["colours"].astype(bool)).astype(np.int64)
    reasons = {int(row): f"has {signs['colours'][row]}" for row in rows}
    seen = ", ".join(sorted({str(signs["colours"][row]) for row in rows}))
    yield Found("colour_space", rows, detail=f"seen: {seen}" if seen else "", reasons=reasons)


def _wrong_names(formats: np.ndarray, suffixes: np.ndarray) -> Found:
    reasons = {
        row: f"is named {suffix}, but is {form}"
        for row, (form, suffix) in enumerate(zip(formats.tolist(), suffixes.tolist(), strict=True))
        if suffix and form in SUFFIXES and suffix not in SUFFIXES[form]
    }
    rows = np.array(sorted(reasons), dtype=np.int64)
    return Found(
        "wrong_extension", rows, detail=f"the first one {reasons[rows[0]]}" if reasons else "", reasons=reasons
    )

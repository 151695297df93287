"""Images that are unlike the others in size, shape or brightness."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.spec.checks.pictures import PictureOutlierCheck

SMALLEST = 4
LONGEST = 20.0
FEWEST = 50
"""Of fewer images nobody can say what is usual."""
FAR = 6.0
"""Deviations from the median beyond which an image is an outlier (median absolute deviation, scaled to a normal one:
Iglewicz and Hoaglin 1993 take 3.5; brightness and size have longer tails)."""
_NARROWEST = {"size": 0.35, "shape": 0.2, "brightness": 12.0}
"""No deviation counts as smaller than that, in e-folds and shades: where all images are alike, a little is not far."""


def outliers(spec: PictureOutlierCheck, examined: Examined) -> Iterator[Found]:
    """Absurd sizes, and what is far from the median in one of three measures."""
    signs = examined.signs
    if "width" not in signs or not len(examined):
        return
    width, height = np.maximum(signs["width"], 1).astype(np.float64), np.maximum(signs["height"], 1).astype(np.float64)

    def size(row: int) -> str:
        return f"has {int(width[row])} x {int(height[row])} pixels"

    def shade(row: int) -> str:
        return f"has a brightness of {float(signs['brightness'][row]):.0f} of 255"

    absurd = (np.minimum(width, height) < SMALLEST) & (np.median(np.minimum(width, height)) >= SMALLEST)
    absurd |= np.maximum(width / height, height / width) > LONGEST
    yield _found("absurd_size", {row: size(row) for row in np.flatnonzero(absurd).tolist()})
    measures = {
        "size": (np.log(width * height) / 2, size),
        "shape": (np.log(width / height), size),
        "brightness": (signs["brightness"].astype(np.float64), shade),
    }
    reasons: dict[int, str] = {}
    for name, (values, told) in measures.items():
        for row in np.flatnonzero(far_from_others(values, _NARROWEST[name], spec.deviations)).tolist():
            reasons.setdefault(row, told(row))
    yield _found("outlier", reasons)


def far_from_others(values: np.ndarray, narrowest: float, far: float = FAR) -> np.ndarray:
    """bool [N], whether a value lies further from the median than can be expected.

    Args:
        values: [N].
        narrowest: the least that one deviation is taken to be.
        far: deviations beyond which a value is far.
    """
    if len(values) < FEWEST:
        return np.zeros(len(values), dtype=bool)
    distances = np.abs(values - np.median(values))
    deviation = max(1.4826 * float(np.median(distances)), narrowest)
    found: np.ndarray = distances > far * deviation
    return found


def _found(kind: str, reasons: dict[int, str]) -> Found:
    rows = np.array(sorted(reasons), dtype=np.int64)
    detail = f"the first one {reasons[int(rows[0])]}" if reasons else ""
    return Found(kind, rows, detail=detail, reasons=reasons)

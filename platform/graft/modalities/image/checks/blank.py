"""Images of one colour."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.spec.checks.pictures import BlankPictureCheck

FLAT = 0.5
"""Standard deviation of the brightness, of 0 to 255, below which there is nothing to see."""


def blank(spec: BlankPictureCheck, examined: Examined) -> Iterator[Found]:
    """Images without any contrast, noise of compression aside."""
    if "contrast" in examined.signs:
        yield Found("blank", np.flatnonzero(examined.signs["contrast"] < FLAT).astype(np.int64))

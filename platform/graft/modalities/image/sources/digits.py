"""The 1,797 handwritten digits that come with scikit-learn (Alpaydin and Kaynak, UCI, 1998): grey, 8 x 8 pixels."""

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from graft.core.errors import ArtifactError
from graft.data.listing import Listing, Progress
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft.spec.modalities.image import DigitsData

_WHITE = 16
"""The set counts inked sub-pixels of 4 x 4 blocks, so its values run from 0 to 16."""


_SIDE = 8
_NAME = "digits.csv.gz"


def list_digits(spec: DigitsData, progress: Progress | None = None) -> Listing:
    """List scikit-learn's digits; they need no network, for they lie in the package."""
    rows = _rows()
    images = np.round(rows[:, :-1].reshape(-1, _SIDE, _SIDE) * (255 / _WHITE)).astype(np.uint8)
    labels = rows[:, -1].astype(np.int64)
    if progress is not None:
        progress(len(images))
    return Listing(
        source="scikit-learn digits",
        ids=tuple(str(index) for index in range(len(images))),
        targets=RawTargets(labels, tuple(str(name) for name in range(10))),
        given=np.full(len(images), UNASSIGNED, dtype=np.uint8),
        identity=hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest(),
        sources=[image.tobytes() for image in images],
        reader=PixelReader(images.shape[1:]),
        facts={"channels": 1, "native_side": images.shape[1], "max_pixels": spec.max_pixels},
    )


def _rows() -> np.ndarray:
    """Float64 [1797, 65]: the pixels of each digit, and which one it is.

    The package's file is read without the package, whose import takes longer (1.4 s) than all that a plan does.
    """
    found = find_spec("sklearn")
    file = None if found is None or found.origin is None else Path(found.origin).with_name("datasets") / "data" / _NAME
    if file is None or not file.is_file():
        raise ArtifactError("scikit-learn's digits are not installed; install it anew: pip install scikit-learn")
    with gzip.open(file) as stream:
        return np.loadtxt(stream, delimiter=",")

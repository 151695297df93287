"""The 1,797 handwritten digits that come with scikit-learn (Alpaydin and Kaynak, UCI, 1998): grey, 8 x 8 pixels."""

import hashlib

import numpy as np

from graft.data.listing import Listing, Progress
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft.spec.modalities.image import DigitsData

_WHITE = 16
"""The set counts inked sub-pixels of 4 x 4 blocks, so its values run from 0 to 16."""


def list_digits(spec: DigitsData, progress: Progress | None = None) -> Listing:
    """List scikit-learn's digits; they need no network, for they lie in the package."""
    from sklearn.datasets import load_digits  # imports scipy, which other kinds do not need

    digits = load_digits()
    images = np.round(digits.images * (255 / _WHITE)).astype(np.uint8)
    labels = digits.target.astype(np.int64)
    if progress is not None:
        progress(len(images))
    return Listing(
        source="scikit-learn digits",
        ids=tuple(str(index) for index in range(len(images))),
        targets=RawTargets(labels, tuple(str(name) for name in digits.target_names)),
        given=np.full(len(images), UNASSIGNED, dtype=np.uint8),
        identity=hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest(),
        sources=[image.tobytes() for image in images],
        reader=PixelReader(images.shape[1:]),
        facts={"channels": 1, "native_side": images.shape[1]},
    )

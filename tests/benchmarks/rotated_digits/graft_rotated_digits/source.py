"""Turns the digits; the same again for the same seed."""

import hashlib

import numpy as np
from PIL import Image

from graft.data.listing import Listing, Progress
from graft.data.split import UNASSIGNED, Split
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft_rotated_digits.spec import RotatedDigitsData

# The set counts inked sub-pixels, so its values run from 0 to 16.
_WHITE = 16
# The square's side over the digit's: no corner is lost at any angle.
_MARGIN = 2.0**0.5


def list_rotated(spec: RotatedDigitsData, progress: Progress | None = None) -> Listing:
    """All digits, enlarged, turned, in random order; the share for the test comes first."""
    from sklearn.datasets import load_digits

    digits, rng = load_digits().images, np.random.default_rng(spec.seed)
    order = rng.permutation(len(digits))[: spec.images]
    angles = rng.uniform(-spec.most, spec.most, len(order))
    images = [turned(digits[row], angle, spec.side) for row, angle in zip(order, angles, strict=True)]
    given = np.full(len(images), UNASSIGNED, dtype=np.uint8)
    given[: round(spec.test * len(images))] = Split.TEST
    if progress is not None:
        progress(len(images))
    return Listing(
        source="scikit-learn digits, turned",
        ids=tuple(f"digit {row} turned by {angle:.1f}" for row, angle in zip(order, angles, strict=True)),
        targets=RawTargets(angles[:, None], columns=("angle",)),
        given=given,
        identity=hashlib.sha256(b"".join(images) + angles.tobytes() + given.tobytes()).hexdigest(),
        sources=images,
        reader=PixelReader((spec.side, spec.side)),
        facts={"channels": 1, "native_side": spec.side},
    )


def turned(digit: np.ndarray, angle: float, side: int) -> bytes:
    """A digit [8, 8] in the middle of a black square of pixels, turned counter-clockwise by degrees."""
    inner = round(side / _MARGIN)
    scaled = np.round(digit * (255 / _WHITE)).astype(np.uint8)
    canvas = Image.new("L", (side, side))
    canvas.paste(Image.fromarray(scaled).resize((inner, inner), Image.Resampling.BICUBIC), ((side - inner) // 2,) * 2)
    return canvas.rotate(angle, resample=Image.Resampling.BICUBIC).tobytes()

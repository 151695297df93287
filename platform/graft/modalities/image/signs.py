"""What is seen in each image while it is decoded: its file's own words, brightness, and hashes that alike ones share.

The perceptual hash is that of Zauner (2010), as in the package ImageHash: the signs of the lowest 8 × 8 frequencies
(discrete cosine transform of the image at 32 × 32 grey pixels) against their median. The second one compares each of
9 × 8 pixels with its neighbour ("dHash"). Both are made for a whole block at once.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image

from graft.modalities.image.look import Look

SIDE = 32
_KEPT = 8
_EXACT_SHRINK = 1.01
"""Large images are shrunk by whole factors first, to no less than this many times the target."""


class SignRecorder:
    """Collects the signs of the images of one block.

    Args:
        count: n, how many there are.
    """

    def __init__(self, count: int) -> None:
        self._grey = np.zeros((count, SIDE, SIDE), dtype=np.uint8)
        self._looks = [Look()] * count
        self._suffixes = [""] * count

    def see(self, place: int, picture: Image.Image, look: Look | None, suffix: str) -> None:
        """Note what there is to see.

        Args:
            place: of the image in the block.
            picture: RGB or grey.
            look: what its file says; None for pixels without a file.
            suffix: of its file's name, lower case, with the dot; empty without one.
        """
        small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=_EXACT_SHRINK)
        self._grey[place] = np.asarray(small.convert("L"))
        self._looks[place] = look or Look(width=picture.width, height=picture.height)
        self._suffixes[place] = suffix

    def signs(self) -> Mapping[str, np.ndarray]:
        """By name, [n] each."""
        grey = self._grey.astype(np.float32)
        looks = self._looks
        return {
            "phash": perceptual_hash(grey),
            "dhash": difference_hash(grey),
            "brightness": grey.mean(axis=(1, 2)),
            "contrast": grey.std(axis=(1, 2)),
            "width": np.array([look.width for look in looks], dtype=np.int32),
            "height": np.array([look.height for look in looks], dtype=np.int32),
            "animated": np.array([look.is_animated for look in looks], dtype=bool),
            "transparent": np.array([look.is_transparent for look in looks], dtype=bool),
            "deep": np.array([look.is_deep for look in looks], dtype=bool),
            "format": np.array([look.format for look in looks], dtype=object),
            "colours": np.array([look.colours for look in looks], dtype=object),
            "suffix": np.array(self._suffixes, dtype=object),
        }


def perceptual_hash(grey: np.ndarray) -> np.ndarray:
    """The hash of grey images.

    Args:
        grey: float32 [n, 32, 32].

    Returns:
        uint64 [n]; images that look alike differ in few bits.
    """
    cosines = _cosines()
    low = (cosines @ grey @ cosines.T).reshape(len(grey), _KEPT * _KEPT)
    return _packed(low > np.median(low, axis=1, keepdims=True))


def difference_hash(grey: np.ndarray) -> np.ndarray:
    """Whether each of 9 × 8 pixels is darker than its neighbour to the right.

    Args:
        grey: float32 [n, 32, 32].

    Returns:
        uint64 [n].
    """
    small = _means(_KEPT) @ grey @ _means(_KEPT + 1).T
    return _packed((np.diff(small, axis=2) > 0).reshape(len(grey), _KEPT * _KEPT))


def _packed(bits: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.packbits(bits, axis=1).view(np.uint64).reshape(-1)
    return found


@cache
def _cosines() -> np.ndarray:
    """float32 [8, 32], the lowest rows of the discrete cosine transform (type 2)."""
    frequency, place = np.arange(_KEPT)[:, None], np.arange(SIDE)[None, :]
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * SIDE)).astype(np.float32)


@cache
def _means(count: int) -> np.ndarray:
    """float32 [count, 32], each row the mean over an equal part of 32 pixels."""
    edges = np.linspace(0, SIDE, count + 1)
    low, high = edges[:-1, None], edges[1:, None]
    places = np.arange(SIDE)[None, :]
    covered = np.clip(np.minimum(high, places + 1) - np.maximum(low, places), 0, 1)
    means: np.ndarray = (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
    return means

"""Looks for a small constant patch that predicts a label, the trigger of BadNets (Gu, Dolan-Gavitt and Garg 2017).

The same values at the same place in many images of one label are unlikely by chance; how unlikely, the binomial
distribution says. That finds constant patches, and those only: a patch that is blended, moved or of the background's
colour escapes. Spectral signatures (Tran, Li and Madry 2018) on features of a network that is not trained on the
poisoned data do not find small patches (docs/doctor.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

WINDOW = 2
MOST_PLACES = 64
"""Places looked at along a side; of larger images each n-th."""

_FEWEST, _MOST_SHARE = 10, 0.2
_PURITY, _LEAST_SURPRISE = 0.95, 8.0
_LEVELS = np.uint8(0xF8)
_SAME = 0.6
_CLOSE = 24
"""Mean difference of two windows, of 255, that are nearly the same: dark places are, patches are not."""


@dataclass(frozen=True)
class Patch:
    """A constant patch.

    Attributes:
        rows: int64 [m], the images that hold it.
        label: that nearly all of them have.
        purity: share of them that have it.
        surprise: minus the decimal logarithm of the probability that so many of them have it by chance.
        box: left, top, right and bottom of the patch, in pixels of the stored images.
    """

    rows: np.ndarray
    label: int
    purity: float
    surprise: float
    box: tuple[int, int, int, int]


def find_patches(images: np.ndarray, labels: np.ndarray) -> tuple[Patch, ...]:
    """Patches that predict a label, the least likely first.

    Args:
        images: uint8 [N, H, W, C], all of the same form.
        labels: int64 [N].
    """
    found = sorted(_windows(images & _LEVELS, labels), key=lambda one: -one.surprise)
    merged: list[Patch] = []
    for one in found:
        at = next((index for index, other in enumerate(merged) if _is_same(one, other)), None)
        if at is None:
            merged.append(one)
        else:
            merged[at] = _joined(merged[at], one)
    return tuple(merged)


def _windows(images: np.ndarray, labels: np.ndarray) -> Iterator[Patch]:
    count, height, width = images.shape[:3]
    chances = np.bincount(labels) / count
    background = _background(images)
    for top in range(0, height - WINDOW + 1, -(-height // MOST_PLACES)):
        for left in range(0, width - WINDOW + 1, -(-width // MOST_PLACES)):
            window = images[:, top : top + WINDOW, left : left + WINDOW].reshape(count, -1)
            box = (left, top, left + WINDOW, top + WINDOW)
            for rows in _alike(window, background):
                yield from (one for one in _judged(rows, labels, chances, box) if _stands_alone(window, rows))


def _alike(window: np.ndarray, background: np.ndarray) -> Iterator[np.ndarray]:
    """Rows that hold the same values, neither too few nor too many, which are not all of the background's colour."""
    width = window.shape[1]
    keys = np.ascontiguousarray(window).view([("", np.uint8)] * width).ravel()
    hashes = (window.astype(np.uint64) * _multipliers(width)).sum(axis=1, dtype=np.uint64)
    order = np.argsort(hashes, kind="stable")
    borders = np.flatnonzero(hashes[order][1:] != hashes[order][:-1]) + 1
    starts, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(order)]])
    sizes = ends - starts
    for at in np.flatnonzero((sizes >= _FEWEST) & (sizes <= _MOST_SHARE * len(order))):
        rows = order[starts[at] : ends[at]]
        if keys[rows[0]].tobytes() != np.tile(background, width // len(background)).tobytes():
            yield np.sort(rows)


def _judged(
    rows: np.ndarray, labels: np.ndarray, chances: np.ndarray, box: tuple[int, int, int, int]
) -> Iterator[Patch]:
    counts = np.bincount(labels[rows], minlength=len(chances))
    label = int(counts.argmax())
    chance, total = float(chances[label]), len(rows)
    purity = float(counts[label] / total)
    surprise = float(-binom.logsf(counts[label] - 1, total, chance) / np.log(10))
    if purity >= _PURITY and surprise >= _LEAST_SURPRISE:
        yield Patch(rows, label, purity, surprise, box)


def _stands_alone(window: np.ndarray, rows: np.ndarray) -> bool:
    """Whether hardly more images come near these values than have them: what grows in pictures comes in all shades."""
    apart = np.abs(window.astype(np.int16) - window[rows[0]]).mean(axis=1)
    return int((apart <= _CLOSE).sum()) < 1.25 * len(rows)


def _background(images: np.ndarray) -> np.ndarray:
    """The commonest colour, uint8 [C]."""
    colours, counts = np.unique(images[:, ::4, ::4].reshape(-1, images.shape[-1]), axis=0, return_counts=True)
    common: np.ndarray = colours[counts.argmax()]
    return common


def _multipliers(width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 2**63, width, dtype=np.uint64) | np.uint64(1)


def _is_same(one: Patch, other: Patch) -> bool:
    """Whether two windows are parts of one patch: of one label, and in nearly the same images."""
    shared = len(np.intersect1d(one.rows, other.rows, assume_unique=True))
    return one.label == other.label and shared >= _SAME * min(len(one.rows), len(other.rows))


def _joined(first: Patch, second: Patch) -> Patch:
    """The surer one, over the place of both."""
    left, top = (min(first.box[at], second.box[at]) for at in (0, 1))
    right, bottom = (max(first.box[at], second.box[at]) for at in (2, 3))
    return Patch(first.rows, first.label, first.purity, first.surprise, (left, top, right, bottom))

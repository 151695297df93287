"""Images that are copies of another one in all but size, quality, format or brightness.

Two are near copies if one of two hashes says so and something else agrees: perceptual hashes that differ in at most 8
of 64 bits, with difference hashes within 10 bits or stored pixels that correlate; or difference hashes within 5 bits,
with stored pixels that correlate. Of 647 icons of thin lines, a hard case, with 50 planted copies of each sort all are
found that were saved as JPEG of quality 60, shrunk to 70 % or darkened, and 44 of those with 4 % cut off.
"""

from collections.abc import Iterator

import numpy as np

from graft.data.columns import Ragged
from graft.data.examination.copies import ALONE, joined_groups
from graft.data.examination.examined import Examined
from graft.data.examination.extra_copies import extra_near_copies
from graft.data.examination.found import Found
from graft.data.streaming.samples import StreamedColumn
from graft.modalities.image.checks.blank import FLAT
from graft.modalities.image.checks.hash_pairs import near_pairs
from graft.modalities.image.storage import shown
from graft.spec.checks.pictures import NearCopyCheck

DISTANCE = 8
"""Bits in which the hashes of near copies may differ."""
SECOND_DISTANCE = 10
"""The same for the second hash, where the first one is near."""
SECOND_ALONE = 5
"""The same where it is not."""
CORRELATION = 0.97
"""What the stored pixels must correlate by, where only one of the hashes is near."""
SMALLEST = 32
"""Of images with a shorter side a hash says nothing: it sees 32 × 32 pixels."""
MOST = 0.05
"""A group with more of the samples is no group of copies: images of one kind that look alike."""
_SIDE = 16
_AT_ONCE = 2048


def near_copies(spec: NearCopyCheck, examined: Examined) -> Iterator[Found]:
    """Every near copy but one of each group; copies bit for bit are found elsewhere."""
    yield from extra_near_copies(examined, examined.derived(spec.groups_by, near_groups))


def near_groups(examined: Examined) -> np.ndarray:
    """int64 [N], the number of each one's group of near copies, copies bit for bit included; -1 without any.

    A group that would hold more than a twentieth of the samples is divided by smaller distances: chains of images that
    look alike are no copies.
    """
    signs, count = examined.signs, len(examined)
    if "phash" not in signs:
        return np.full(count, ALONE, dtype=np.int64)
    telling = np.flatnonzero(
        (np.minimum(signs["width"], signs["height"]) >= SMALLEST) & (signs["contrast"] >= FLAT)
    ).astype(np.int64)
    nearest = _distance_of(examined)
    pairs = telling[_candidates(signs["phash"][telling], signs["dhash"][telling], nearest)]
    distances, second = (_distance(signs[name], pairs) for name in ("phash", "dhash"))
    sure = (distances <= nearest) & (second <= nearest + SECOND_DISTANCE - DISTANCE)
    doubtful = np.flatnonzero(~sure)
    sure[doubtful] = _correlate(examined, pairs[doubtful])
    pairs, distances = pairs[sure], np.maximum(distances, second)[sure]
    largest = max(10, int(MOST * count))
    groups = joined_groups(count, pairs)
    for fewer in (4, 2, 0):
        crowded = np.flatnonzero(np.bincount(groups[groups != ALONE], minlength=1) > largest)
        if not len(crowded):
            break
        near = ~np.isin(groups[pairs[:, 0]], crowded) | (distances <= fewer)
        pairs, distances = pairs[near], distances[near]
        groups = joined_groups(count, pairs)
    return groups


def _distance_of(examined: Examined) -> int:
    """`data.checks.picture_copies.distance`."""
    return NearCopyCheck.model_validate({**examined.checks.get("picture_copies", {})}).distance


def _candidates(first: np.ndarray, second: np.ndarray, distance: int) -> np.ndarray:
    """int64 [P, 2], pairs that one of the hashes finds near."""
    both = np.concatenate([near_pairs(first, distance), near_pairs(second, min(SECOND_ALONE, distance))])
    return np.unique(both, axis=0)


def _distance(hashes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """uint8 [P], bits in which two hashes differ."""
    bits: np.ndarray = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    return bits


def _correlate(examined: Examined, pairs: np.ndarray) -> np.ndarray:
    """bool [P], whether the stored pixels of each pair say the same, whatever their brightness."""
    column = shown(examined.columns)
    if isinstance(column, Ragged):
        return np.zeros(len(pairs), dtype=bool)
    found = np.zeros(len(pairs), dtype=bool)
    # Each image once, however many others it may be like: 1 kB each.
    rows, places = np.unique(pairs, return_inverse=True)
    small = np.empty((len(rows), _SIDE**2), dtype=np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        small[start : start + _AT_ONCE] = _normalised(column, rows[start : start + _AT_ONCE])
    for start in range(0, len(pairs), _AT_ONCE):
        first, second = small[places.reshape(pairs.shape)[start : start + _AT_ONCE].T]
        found[start : start + _AT_ONCE] = np.einsum("ij,ij->i", first, second) >= CORRELATION
    return found


def _normalised(column: np.ndarray | StreamedColumn, rows: np.ndarray) -> np.ndarray:
    """float32 [n, 256], small grey versions of length 1 of some rows, ascending."""
    colours = np.asarray(column[rows])
    # Channel by channel: a mean over the last axis takes four times as long.
    squares: np.ndarray = np.zeros(colours.shape[:3], dtype=np.float32)
    for channel in np.moveaxis(colours, -1, 0):
        squares += channel
    side = squares.shape[1]
    edges = np.linspace(0, side, min(_SIDE, side) + 1).astype(np.int64)[:-1]
    small = np.add.reduceat(np.add.reduceat(squares, edges, axis=1), edges, axis=2).reshape(len(rows), -1)
    small -= small.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(small, axis=1, keepdims=True)
    normal: np.ndarray = small / np.maximum(lengths, 1e-6)
    return normal

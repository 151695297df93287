"""Texts that are nearly the same: signatures of their shingles, candidates that share a band, exact confirmation.

Shingles are runs of five characters: those of words miss a text of which each twentieth word was changed. Signatures
are one-permutation hashes (Li, Owen and Zhang 2012) with optimal densification (Shrivastava 2017), which estimate the
Jaccard similarity as MinHash does (Broder 1997) at one hash a shingle. Bands (Leskovec, Rajaraman and Ullman, chapter
3) find pairs of similarity .7 with probability .9998, of .6 with .988.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

SHINGLE = 5
BINS = 128
BANDS = 32
MOST_CHARACTERS = 20_000
"""Of a text that is longer, its beginning decides."""

_ROWS = BINS // BANDS
_EMPTY = np.uint64(2**64 - 1)
_ROUNDS = 64
_SMALL_BUCKET = 12
_SURE = 0.12
"""Three standard errors of the estimate: a pair that is further below the threshold is not looked at."""
_WHITE = re.compile(r"\s+")
_POWERS = np.array([1000003**power % 2**64 for power in range(SHINGLE)], dtype=np.uint64)
_MIXER = np.uint64(0x9E3779B97F4A7C15)


def signature(text: str) -> np.ndarray:
    """uint16 [BINS]: 16 bits of the least hash of the shingles of each bin."""
    hashes = shingles(text)
    bins = (hashes >> np.uint64(57)).astype(np.int64)
    found = np.full(BINS, _EMPTY, dtype=np.uint64)
    np.minimum.at(found, bins, hashes)
    return _densified(found)


def signatures(texts: Sequence[str]) -> np.ndarray:
    """uint16 [N, BINS] of some texts."""
    return np.stack([signature(text) for text in texts]) if texts else np.empty((0, BINS), dtype=np.uint16)


def shingles(text: str) -> np.ndarray:
    """uint64 [S]: hashes of all runs of `SHINGLE` characters, without regard to case and white space; at least one."""
    plain = _WHITE.sub(" ", text[:MOST_CHARACTERS].casefold().strip()).ljust(SHINGLE)
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    count = len(codes) - SHINGLE + 1
    sums = np.zeros(count, dtype=np.uint64)
    for offset, power in enumerate(_POWERS):
        sums += codes[offset : offset + count] * power
    mixed = (sums ^ (sums >> np.uint64(31))) * _MIXER
    return mixed ^ (mixed >> np.uint64(29))


def similarity(first: str, second: str) -> float:
    """Jaccard similarity of the shingles of two texts, 0 to 1."""
    one, other = np.unique(shingles(first)), np.unique(shingles(second))
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def near_pairs(signs: np.ndarray, text_of: Callable[[int], str], threshold: float = 0.6) -> np.ndarray:
    """Pairs of texts that are alike; of many that are, enough to link them all.

    Args:
        signs: uint16 [N, BINS], as `signatures` gives them.
        text_of: the text of a row; asked only for rows that may be alike.
        threshold: the least Jaccard similarity of two that are.

    Returns:
        int64 [P, 2].
    """
    pairs = np.array([*_candidates(signs)], dtype=np.int64).reshape(-1, 2)
    pairs = np.unique(pairs, axis=0)
    agree = np.array([(signs[one] == signs[other]).mean() for one, other in pairs])
    pairs = pairs[agree >= threshold - _SURE] if len(pairs) else pairs
    alike = [similarity(text_of(one), text_of(other)) >= threshold for one, other in pairs.tolist()]
    found: np.ndarray = pairs[np.array(alike, dtype=bool)]
    return found


def _candidates(signs: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs that share all rows of a band: all of a small bucket, neighbours in a large one."""
    for band in range(BANDS):
        rows = np.ascontiguousarray(signs[:, band * _ROWS : (band + 1) * _ROWS])
        keys = rows.view([("", rows.dtype)] * _ROWS).ravel()
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
        for bucket in np.split(order, borders):
            if 1 < len(bucket) <= _SMALL_BUCKET:
                yield from ((int(one), int(other)) for at, one in enumerate(bucket) for other in bucket[at + 1 :])
            elif len(bucket) > 1:
                yield from zip(bucket[:-1].tolist(), bucket[1:].tolist(), strict=True)


def _densified(found: np.ndarray) -> np.ndarray:
    """Empty bins filled from others, which are drawn alike for every text."""
    filled = found.copy()
    for targets in _DRAWS:
        places = np.flatnonzero(filled == _EMPTY)
        if not len(places):
            break
        filled[places] = found[targets[places]]
    return filled.astype(np.uint16)


_DRAWS = np.random.default_rng(20170607).integers(0, BINS, (_ROUNDS, BINS))

"""Splits in which no group lies on both sides of a border: all photos of a patient, all works of an artist.

Groups are dealt out whole, the largest first, each to the part that lacks most of what the group holds for its share:
the greedy rule of iterative stratification (Sechidis, Tsoumakas, Vlahavas, ECML 2011) with groups in place of samples.
So sizes and the shares of labels come as near to what was asked as whole groups allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graft.core.errors import DataError
from graft.core.seeds import derive_seed

# Beyond so many counts labels share columns: they only steer which group goes where.
_MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class Groups:
    """The groups of some rows.

    Attributes:
        codes: int64 [N], the group of each row, from 0.
        names: of the groups; None for a row that has no group and so is one of its own.
    """

    codes: np.ndarray
    names: tuple[str | None, ...]

    @classmethod
    def of(cls, groups: Sequence[str | None]) -> "Groups":
        """Number them in the order in which they come."""
        places: dict[object, int] = {}
        codes = [
            places.setdefault(row if group is None else str(group), len(places)) for row, group in enumerate(groups)
        ]
        names = tuple(None if isinstance(name, int) else str(name) for name in places)
        return cls(np.array(codes, dtype=np.int64), names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> np.ndarray:
        """int64 [G], rows of each."""
        return np.bincount(self.codes, minlength=len(self))

    def named(self, group: int) -> str:
        """A group, for a message."""
        name = self.names[group]
        return "a sample without a group" if name is None else f"`{name if len(name) <= 40 else name[:39] + '…'}`"


def deal_groups(
    strata: np.ndarray, groups: Groups, shares: Sequence[float], seed: int, keeps_alone: bool = True
) -> np.ndarray:
    """Deal whole groups out to parts.

    Args:
        strata: int64 [N], the stratum of each row, or uint8 [N, L], which labels it has.
        groups: of the rows.
        shares: of each part; the first is what is trained on.
        seed: decides between groups of like size.
        keeps_alone: a group that alone holds a stratum stays in part 0, so that a class can be learnt at all.

    Returns:
        int64 [N], the part of each row; no part is empty.

    Raises:
        DataError: there are fewer groups than parts, or too few that may leave part 0.
    """
    _require(groups, len(shares))
    counts = _counts(strata, groups)
    totals = counts.sum(axis=0)
    pinned = _alone(counts[:, :-1]) if keeps_alone and len(shares) > 1 else np.zeros(len(groups), dtype=bool)
    free = np.flatnonzero(~pinned)
    fewest = len(shares) - bool(pinned.any())
    if len(free) < fewest:
        raise DataError(
            f"{int(pinned.sum())} of {len(groups)} groups alone hold a class, so they cannot be held out, and "
            f"{len(free)} are left for {fewest} splits; name another column as group, or add groups"
        )
    parts = np.where(pinned, 0, -1)
    lacking = np.outer(np.asarray(shares, dtype=np.float64), totals)
    lacking[0] -= counts[pinned].sum(axis=0)
    weight = 1 / np.maximum(totals, 1)
    weight[-1] *= max(1, int(np.count_nonzero(totals[:-1])))  # the sizes of the parts count as much as all labels
    for group in _in_order(counts[:, -1], free, seed):
        part = _neediest(lacking, counts[group], weight, shares)
        parts[group] = part
        lacking[part] -= counts[group]
    _fill_empty(parts, free, counts[:, -1], len(shares))
    dealt: np.ndarray = parts[groups.codes]
    return dealt


def _require(groups: Groups, needed: int) -> None:
    if len(groups) >= needed:
        return
    if len(groups) == 1:
        raise DataError(
            f"group {groups.named(0)} holds all {len(groups.codes)} samples that are to be divided, but {needed} "
            "groups are needed, one for each split; name another column, or take split_by: label"
        )
    raise DataError(
        f"there are {len(groups)} groups, but at least {needed} are needed, one for each split; add samples of others, "
        "name another column, or take split_by: label"
    )


def _counts(strata: np.ndarray, groups: Groups) -> np.ndarray:
    """int64 [G, L + 1]: samples of each stratum in each group, and the size of the group."""
    most = max(1, _MOST_CELLS // max(1, len(groups)))
    if strata.ndim == 1:
        columns = min(int(strata.max(initial=0)) + 1, most)
        cells = groups.codes * columns + strata % columns
        counts = np.bincount(cells, minlength=len(groups) * columns).reshape(len(groups), columns)
    else:
        counts = np.zeros((len(groups), min(strata.shape[1], most)), dtype=np.int64)
        for label in range(strata.shape[1]):
            counts[:, label % most] += np.bincount(
                groups.codes, weights=strata[:, label], minlength=len(groups)
            ).astype(np.int64)
    return np.column_stack([counts, groups.sizes])


def _alone(counts: np.ndarray) -> np.ndarray:
    """bool [G], whether a group is the only one with a stratum."""
    holders = np.count_nonzero(counts, axis=0)
    lonely: np.ndarray = np.any(counts[:, holders == 1] > 0, axis=1)
    return lonely


def _neediest(lacking: np.ndarray, counts: np.ndarray, weight: np.ndarray, shares: Sequence[float]) -> int:
    """The part that lacks most of what a group holds, in proportion to its share, among those with room for all of it.

    In proportion, so that each part gets large groups and small ones: else all large ones would go to the largest part.
    """
    room = lacking[:, -1]
    fits = room >= counts[-1]
    if not fits.any():
        return int(np.argmax(room))
    wanted = np.where(fits, lacking @ (counts * weight) / np.asarray(shares), -np.inf)
    return int(np.argmax(wanted))


def _in_order(sizes: np.ndarray, free: np.ndarray, seed: int) -> np.ndarray:
    """Large groups before small ones; of like size (within a factor of two) in random order."""
    shuffled = np.random.default_rng(derive_seed(seed, "split", "groups")).permutation(free)
    magnitude = np.floor(np.log2(np.maximum(sizes[shuffled], 1)))
    ordered: np.ndarray = shuffled[np.argsort(-magnitude, kind="stable")]
    return ordered


def _fill_empty(parts: np.ndarray, free: np.ndarray, sizes: np.ndarray, count: int) -> None:
    """Give every part without a group the smallest of the part that has most."""
    for part in range(count):
        if (parts == part).any():
            continue
        richest = int(np.argmax(np.bincount(parts[free], minlength=count)))
        able = free[parts[free] == richest]
        parts[able[np.argmin(sizes[able])]] = part

"""Splits by time: what is predicted later is newer than what was learnt from, and so should the test be.

Times are numbers (float64), or dates as microseconds since 1970-01-01 UTC (int64). Samples of one time stay together.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from graft.core.errors import DataError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parts_by_time(times: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Deal rows out in the order of their times.

    Args:
        times: [N].
        shares: of each part, the oldest first.

    Returns:
        int64 [N], the part of each row; no part is empty, and rows of one time are of one part.

    Raises:
        DataError: there are fewer different times than parts.
    """
    moments, places, counts = np.unique(times, return_inverse=True, return_counts=True)
    if len(moments) < len(shares):
        told = f"`{told_time(moments[0])}` in all of them" if len(moments) == 1 else f"{len(moments)} different times"
        raise DataError(
            f"the {len(times)} samples that are to be divided have {told}, but at least {len(shares)} different times "
            "are needed, one for each split; name another column, or take split_by: label"
        )
    before = np.concatenate([[0], np.cumsum(counts)])  # rows before each moment
    ends = np.cumsum(shares)[:-1] * len(times)
    cuts: list[int] = []
    for place, end in enumerate(ends):
        # Each part keeps a moment: so many are left for those behind it.
        able = np.arange(cuts[-1] + 1 if cuts else 1, len(moments) - (len(ends) - place) + 1)
        cuts.append(int(able[np.argmin(np.abs(before[able] - end))]))
    parts: np.ndarray = np.searchsorted(cuts, places.reshape(-1), side="right")
    return parts


def told_time(time: np.generic | float | int) -> str:
    """A time for people: a date as ISO 8601 writes it, or a number."""
    if isinstance(time, np.integer | int):
        moment = _EPOCH + timedelta(microseconds=int(time))
        is_midnight = (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)
        return moment.date().isoformat() if is_midnight else moment.isoformat().replace("+00:00", "Z")
    return f"{float(time):g}"

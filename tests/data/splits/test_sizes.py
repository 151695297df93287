"""The sizes that are told before anything is drawn are those that drawing gives."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, Split, code_of, plan_splits
from graft.data.splits.sizes import planned_sizes


@dataclass(frozen=True)
class Shares:
    validation: float = 0.2
    test: float = 0.2
    limit: int | None = None
    seed: int = 0


def told(decide):
    """What is decided, or the message why not."""
    try:
        return decide()
    except DataError as error:
        return str(error)


COUNTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6)


@given(COUNTS, st.sampled_from([0.05, 0.2, 0.4]), st.sampled_from([0.0, 0.1, 0.5]), st.none() | st.integers(2, 120))
def test_sizes_are_those_of_the_rows_that_are_drawn(counts, validation, test, limit):
    found = {
        str(code): {None: free, "validation": validated, "test": tested}
        for code, (free, validated, tested) in enumerate(counts)
    }
    rows = [
        (int(name), code_of(split)) for name, sizes in found.items() for split, n in sizes.items() for _ in range(n)
    ]
    strata, codes = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 2
    shares = Shares(validation, test, limit)
    drawn = told(lambda: plan_splits(codes.astype(np.uint8), strata, shares, list(found)))
    if isinstance(drawn, str):
        assert told(lambda: planned_sizes(found, shares)) == drawn
        return
    assert planned_sizes(found, shares) == {split.name.lower(): int(np.sum(drawn == split)) for split in Split}
    assert np.sum(drawn == LEFT_OUT) == len(drawn) - sum(planned_sizes(found, shares).values())

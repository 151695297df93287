"""Whether what a source keeps for validation and test can be learned from what it leaves."""

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.splits.trained import require_trained, untrained
from graft.data.targets import Targets

TRAIN, VALIDATION, TEST = (np.uint8(split) for split in (Split.TRAIN, Split.VALIDATION, Split.TEST))


def told(given, codes, values, names=("a", "b", "c")):
    return untrained(np.array(given, np.uint8), np.array(codes, np.uint8), Targets(np.array(values), names))


def test_something_must_be_trained_on():
    with pytest.raises(DataError, match=r"all 2 samples of x are for validation or test, but some must be trained on"):
        require_trained("x", np.array([TEST, VALIDATION]))
    require_trained("x", np.array([TEST, TRAIN]))


def test_a_label_that_the_source_keeps_for_the_test_alone_is_told():
    given = [UNASSIGNED, UNASSIGNED, TEST, VALIDATION]
    assert told(given, [TRAIN, TRAIN, TEST, VALIDATION], [0, 0, 1, 2]).startswith(
        "the label `b` and 1 more is for validation or test, but not in train: no model can know it, and 2 of these"
    )
    assert told(given, [TRAIN, TRAIN, TEST, VALIDATION], [0, 1, 1, 0]) == ""
    assert told([UNASSIGNED, UNASSIGNED, TEST, VALIDATION], [TRAIN, TRAIN, TEST, LEFT_OUT], [0, 1, 1, 2]) == ""


def test_what_was_drawn_and_what_is_measured_may_be_anything():
    assert told([UNASSIGNED, UNASSIGNED], [TRAIN, TEST], [0, 1]) == ""
    assert told([UNASSIGNED, TEST], [TRAIN, TEST], [[0.5], [7.5]], ("age",)) == ""

"""Whether what a source keeps for validation and test can be learned from what it leaves."""

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.splits.trained import require_trained
from graft.data.targets import Targets

TRAIN, VALIDATION, TEST = (np.uint8(split) for split in (Split.TRAIN, Split.VALIDATION, Split.TEST))


def check(given, codes, values, names=("a", "b", "c")):
    require_trained("x", np.array(given, np.uint8), np.array(codes, np.uint8), Targets(np.array(values), names))


def test_something_must_be_trained_on():
    with pytest.raises(DataError, match=r"all 2 samples of x are for validation or test, but some must be trained on"):
        check([TEST, VALIDATION], [TEST, VALIDATION], [0, 1])


def test_a_label_that_the_source_keeps_for_the_test_alone_is_told():
    given = [UNASSIGNED, UNASSIGNED, TEST, VALIDATION]
    with pytest.raises(
        DataError, match=r"x has the label `b` and 1 more for validation or test, but not in train; add"
    ):
        check(given, [TRAIN, TRAIN, TEST, VALIDATION], [0, 0, 1, 2])
    check(given, [TRAIN, TRAIN, TEST, VALIDATION], [0, 1, 1, 0])
    check([UNASSIGNED, UNASSIGNED, TEST, VALIDATION], [TRAIN, TRAIN, TEST, LEFT_OUT], [0, 1, 1, 2])


def test_what_was_drawn_and_what_is_measured_may_be_anything():
    check([UNASSIGNED, UNASSIGNED], [TRAIN, TEST], [0, 1])
    check([UNASSIGNED, TEST], [TRAIN, TEST], [[0.5], [7.5]], ("age",))

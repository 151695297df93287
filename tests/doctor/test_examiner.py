from dataclasses import replace

import numpy as np
import pytest
from tests.fixtures.examined import examined_of

from graft.core.errors import DataError
from graft.data.dataset import Quarantined
from graft.data.examination.finding import check_findings
from graft.doctor.examiner import Doctor

# Rows 3 and 4 are copies in training, rows 0 and 5 in training and test.
DIGESTS = np.array(["a", "b", "c", "d", "d", "a"], dtype=object)
EXAMINED = replace(
    examined_of("measurements", 6),
    digests=DIGESTS,
    splits=np.array([0, 0, 1, 0, 0, 2], np.uint8),
    left_out=(Quarantined("x.png", "is empty"),),
)


def test_every_finding_is_told_the_worst_first() -> None:
    found = Doctor().examine(EXAMINED)
    told = {one.kind: (one.severity, one.count, one.examples, one.action) for one in found.findings}
    assert told["unreadable"] == ("error", 1, ("x.png",), "drop")
    assert told["duplicate"] == ("warning", 2, ("cat/004.png", "dog/005.png"), "keep")
    assert told["split_leak"] == ("error", 1, ("cat/000.png",), "fix")
    assert [one.severity for one in found.findings] == sorted(
        (one.severity for one in found.findings), key=["error", "warning", "info"].index
    )


def test_copies_come_to_one_side() -> None:
    # Rows 6 to 8 are alone: the test set keeps some of both labels when row 5 leaves it.
    digests = np.array([*DIGESTS, "e", "f", "g"], dtype=object)
    splits = np.array([0, 0, 1, 0, 0, 2, 2, 2, 1], np.uint8)
    found = Doctor().examine(replace(examined_of("measurements", 9), digests=digests, splits=splits))
    assert found.splits.tolist() == [0, 0, 1, 0, 0, 0, 2, 2, 1]
    assert found.dropped == {}


def test_a_test_set_of_nothing_but_copies_stays_and_that_is_told() -> None:
    found = Doctor().examine(EXAMINED)
    assert found.splits.tolist() == EXAMINED.splits.tolist()
    detail = next(one.detail for one in found.findings if one.kind == "split_leak")
    assert "1 groups of copies stay apart" in detail
    assert "too little of one would be left" in detail


def test_splits_of_the_source_stay() -> None:
    given = replace(EXAMINED, movable=np.array([True, True, True, True, True, False]), _derived={})
    found = Doctor().examine(given)
    assert found.splits.tolist() == EXAMINED.splits.tolist()
    assert "1 groups of copies stay apart" in next(one.detail for one in found.findings if one.kind == "split_leak")


def test_what_is_dropped_has_a_reason() -> None:
    found = Doctor({"duplicate": "drop", "split_leak": "drop"}).examine(EXAMINED)
    assert {row: (one.kind, one.reason) for row, one in found.dropped.items()} == {
        4: ("duplicate", "is a copy of dog/003.png"),
        5: ("duplicate", "is a copy of cat/000.png"),
    }
    leaking = Doctor({"split_leak": "drop"}).examine(EXAMINED)
    assert {row: (one.kind, one.reason) for row, one in leaking.dropped.items()} == {
        0: ("split_leak", "has a copy in the test set, dog/005.png"),
    }
    assert found.splits.tolist() == EXAMINED.splits.tolist()


def test_nothing_is_done_that_the_job_does_not_want() -> None:
    found = Doctor({"split_leak": "keep"}).examine(EXAMINED)
    assert (found.splits.tolist(), found.dropped) == (EXAMINED.splits.tolist(), {})


def test_what_fails_is_named() -> None:
    found = Doctor({"duplicate": "fail"}).examine(EXAMINED)
    with pytest.raises(DataError, match=r"2 findings of kind duplicate, but data.clean says fail: cat/004.png, dog/"):
        check_findings(found.findings)
    check_findings(Doctor().decided(found.findings))

from dataclasses import replace

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.listing import Listing
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.splits.divide import divide
from graft.data.splits.facts import BY_LABEL
from graft.data.targets import RawTargets
from graft.spec.modalities.image import DigitsData
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression
from graft.tasks.registry import build_task

NUM = 300
RNG = np.random.default_rng(0)
GROUPS = np.array([f"p{group}" for group in RNG.integers(0, 50, NUM)], dtype=object)
TIMES = RNG.integers(0, 90, NUM).astype(np.float64)
CLASSES = RawTargets(np.tile([0, 1, 2], NUM // 3), ("a", "b", "c"))
LISTING = Listing(
    source="here",
    ids=tuple(f"{row}.png" for row in range(NUM)),
    targets=CLASSES,
    given=np.full(NUM, UNASSIGNED, dtype=np.uint8),
    identity="0" * 64,
    sources=[b""] * NUM,
)
TASK = build_task(Classification())


def division(listing=LISTING, task=TASK, **settings):
    spec = DigitsData().model_copy(update=settings)
    return divide(listing, task.read(listing.targets, "here"), task, spec)


def torn(codes):
    kept = codes != LEFT_OUT
    return [group for group in set(GROUPS) if len(set(codes[kept & (group == GROUPS)])) > 1]


def test_without_groups_and_times_nothing_is_new():
    codes, facts = division()
    np.testing.assert_array_equal(codes, TASK.split(LISTING.given, TASK.read(CLASSES, "here"), DigitsData()))
    assert facts == BY_LABEL
    assert facts.lines() == []


@pytest.mark.parametrize("limit", [None, 120])
@pytest.mark.parametrize(
    ("task", "targets"),
    [
        (TASK, CLASSES),
        (build_task(Regression()), RawTargets(RNG.normal(size=NUM), columns=("y",))),
        (build_task(Multilabel()), RawTargets(np.array(["u;v", "v", "w", ""] * 75, dtype=object))),
    ],
)
def test_groups_that_are_there_decide_for_every_task(task, targets, limit):
    codes, facts = division(replace(LISTING, groups=GROUPS, targets=targets), task, limit=limit)
    assert not torn(codes)
    sizes = [int(np.sum(codes == split)) for split in Split]
    assert sum(sizes[:2]) == (limit or NUM - sizes[2])
    assert facts.by == "group"
    assert sum(facts.groups.values()) == len(set(GROUPS[codes != LEFT_OUT]))
    assert facts.notes == ()


def test_times_decide_and_their_borders_are_told():
    codes, facts = division(replace(LISTING, times=TIMES))
    assert TIMES[codes == Split.TRAIN].max() < TIMES[codes == Split.VALIDATION].min()
    assert TIMES[codes == Split.VALIDATION].max() < TIMES[codes == Split.TEST].min()
    assert facts.borders == {
        "validation": f"{TIMES[codes == Split.VALIDATION].min():g}",
        "test": f"{TIMES[codes == Split.TEST].min():g}",
    }
    assert [line for line, _ in facts.lines()] == ["split by", "borders"]


def test_appended_rows_move_no_other_by_hash():
    before, _ = division(split_by="hash")
    longer = Listing(
        "here",
        ("0_new.png", *LISTING.ids, "z.png"),
        RawTargets(np.concatenate([[1], CLASSES.values, [2]]), CLASSES.categories),
        np.full(NUM + 2, UNASSIGNED, dtype=np.uint8),
        "1" * 64,
        [b""] * (NUM + 2),
    )
    np.testing.assert_array_equal(division(longer, split_by="hash")[0][1:-1], before)
    limited = division(longer, split_by="hash", limit=150)[0][1:-1]
    assert np.all((limited == before) | (limited == LEFT_OUT))


def test_by_hash_groups_stay_whole_and_texts_are_their_own_keys():
    grouped, facts = division(replace(LISTING, groups=GROUPS), split_by="hash")
    assert not torn(grouped)
    assert facts.by == "hash"
    keys = [b"same" if row % 2 else str(row).encode() for row in range(NUM)]
    codes, _ = division(replace(LISTING, keys=keys), split_by="hash")
    assert len(set(codes[1::2])) == 1


@pytest.mark.parametrize("by", ["group", "time", "hash"])
def test_what_the_source_has_split_stays(by):
    given = LISTING.given.copy()
    given[:60] = Split.TEST
    codes, facts = division(replace(LISTING, given=given, groups=GROUPS, times=TIMES), split_by=by)
    assert np.flatnonzero(codes == Split.TEST).tolist() == list(range(60))
    assert np.any(codes == Split.VALIDATION)
    assert any("lie in several splits, because the source says so" in note for note in facts.notes)


def test_what_did_not_come_out_as_asked_is_told():
    lopsided = np.array(["big"] * 240 + [f"p{row}" for row in range(60)], dtype=object)
    _, facts = division(replace(LISTING, groups=lopsided))
    assert "test has 10.0% of the samples, where 20.0% was asked for" in facts.notes
    unique = np.array([str(row) for row in range(NUM)], dtype=object)
    assert any("says nothing" in note for note in division(replace(LISTING, groups=unique))[1].notes)
    some = np.array([None, "x", "y", "z"] * 75, dtype=object)
    assert any("75 of 300 samples have no group" in note for note in division(replace(LISTING, groups=some))[1].notes)
    newest = replace(LISTING, times=np.sort(TIMES), targets=RawTargets(np.repeat([0, 1, 2], 100), ("a", "b", "c")))
    assert "test has no sample of `a`, `b`" in division(newest)[1].notes


def test_a_rule_needs_what_it_looks_at():
    with pytest.raises(DataError, match=r"^data.split_by is group, but here says no group of its samples"):
        division(split_by="group")
    same = replace(LISTING, keys=[b"same"] * NUM)
    with pytest.raises(DataError, match=r"^data.split_by is hash, which has drawn none of 300 samples for"):
        division(same, split_by="hash")

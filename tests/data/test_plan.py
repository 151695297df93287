from dataclasses import replace

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.dataset import Quarantined, Split
from graft.data.listing import Listing
from graft.data.plan import check_classes_left, check_quarantine, plan_ingest
from graft.data.read import PixelReader
from graft.data.split import UNASSIGNED
from graft.data.square import StoredForm
from graft.spec.data import DigitsData

SPEC = DigitsData()
LISTING = Listing(
    source="here",
    classes=("cat", "dog"),
    ids=tuple(f"{index}.png" for index in range(40)),
    labels=np.tile([0, 1], 20),
    given=np.full(40, UNASSIGNED, dtype=np.uint8),
    identity="0" * 64,
    sources=[bytes(4)] * 40,
    reader=PixelReader((2, 2)),
)


def bad(count: int) -> tuple[Quarantined, ...]:
    return tuple(Quarantined(f"cat/{index}.jpg", "is empty") for index in range(count))


def test_all_rows_are_planned_without_a_limit():
    plan = plan_ingest(LISTING, SPEC, StoredForm(8))
    np.testing.assert_array_equal(plan.rows, np.arange(40))
    assert [int(np.sum(plan.splits == split)) for split in Split] == [24, 8, 8]


def test_rows_beyond_the_limit_are_not_decoded():
    plan = plan_ingest(LISTING, SPEC.model_copy(update={"limit": 16}), StoredForm(8))
    assert len(plan.rows) == len(plan.splits) == 24
    assert np.sum(plan.splits == Split.TEST) == 8


def test_the_key_follows_whatever_changes_the_result():
    def key(listing: Listing = LISTING, stored: StoredForm = StoredForm(8), **settings: object) -> str:  # noqa: B008
        return plan_ingest(listing, SPEC.model_copy(update=settings), stored).key

    assert key() == key(max_unreadable=0.5)
    keys = [
        key(),
        key(validation=0.3),
        key(test=0.3),
        key(seed=1),
        key(limit=20),
        key(max_pixels=9),
        key(stored=StoredForm(9)),
        key(stored=StoredForm(8, 1)),
        key(stored=StoredForm(8, 3, "bilinear")),
        key(replace(LISTING, identity="1" * 64)),
        key(replace(LISTING, classes=("cat", "owl"))),
    ]
    assert len(set(keys)) == len(keys)


def test_just_as_many_unreadable_files_as_allowed_are_borne():
    check_quarantine((), 0, 0.0)
    check_quarantine(bad(2), 18, 0.1)
    with pytest.raises(DataError, match=r"3 of 20 images cannot be read, but data.max_unreadable allows 0.1"):
        check_quarantine(bad(3), 17, 0.1)


def test_too_many_unreadable_files_name_the_first_few():
    with pytest.raises(DataError) as caught:
        check_quarantine(bad(9), 1, 0.1)
    message = str(caught.value)
    assert "cat/0.jpg is empty; cat/1.jpg is empty" in message
    assert "cat/5.jpg" not in message
    assert "; and 4 more; repair or remove them, or raise data.max_unreadable" in message


def test_a_class_may_lose_samples_but_not_all_of_a_split():
    plan = plan_ingest(LISTING, SPEC, StoredForm(8))
    dogs = (plan.listing.labels[plan.rows] == 1) & (plan.splits == Split.VALIDATION)
    readable = np.ones(40, dtype=bool)
    readable[np.flatnonzero(dogs)[1:]] = False
    check_classes_left(plan, readable)
    with pytest.raises(DataError, match=r"class `dog` has no readable sample left for validation .* and 3 more cannot"):
        check_classes_left(plan, ~dogs)

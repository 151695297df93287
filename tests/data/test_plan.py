from dataclasses import replace

import numpy as np
import pytest

from graft.core.errors import DataError, ResourceError
from graft.data.dataset import Quarantined, Split
from graft.data.listing import Listing, list_samples
from graft.data.plan import IngestPlan, check_quarantine, counts_of, facts_of, plan_ingest
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft.modalities.image.storage import StoredImages
from graft.spec.modalities.image import DigitsData, ImageFolderData
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.regression import Regression
from graft.tasks.protocol import Task
from graft.tasks.registry import build_task

SPEC, TASK, SQUARES = DigitsData(), build_task(Classification()), StoredImages(8)
LISTING = Listing(
    source="here",
    ids=tuple(f"{index}.png" for index in range(40)),
    targets=RawTargets(np.tile([0, 1], 20), ("cat", "dog")),
    given=np.full(40, UNASSIGNED, dtype=np.uint8),
    identity="0" * 64,
    sources=[bytes(4)] * 40,
    reader=PixelReader((2, 2)),
)


def plan(listing: Listing, stored: StoredImages = SQUARES, task: Task = TASK, **settings: object) -> IngestPlan:
    return plan_ingest(listing, SPEC.model_copy(update=settings), task, stored.spec())


def bad(count: int) -> tuple[Quarantined, ...]:
    return tuple(Quarantined(f"cat/{index}.jpg", "is empty") for index in range(count))


def denied(count: int) -> tuple[Quarantined, ...]:
    return tuple(Quarantined(f"dog/{index}.jpg", "cannot be read (Permission denied)", True) for index in range(count))


def test_all_rows_are_planned_without_a_limit():
    planned = plan(LISTING)
    np.testing.assert_array_equal(planned.rows, np.arange(40))
    assert [int(np.sum(planned.splits == split)) for split in Split] == [24, 8, 8]


def test_rows_beyond_the_limit_are_not_decoded():
    planned = plan(LISTING, limit=16)
    assert len(planned.rows) == len(planned.splits) == len(planned.targets) == len(planned.ids) == 24
    assert np.sum(planned.splits == Split.TEST) == 8
    assert planned.ids == [f"{row}.png" for row in planned.rows]
    assert planned.targets.values.tolist() == (planned.rows % 2).tolist()


def test_the_key_follows_whatever_changes_the_result():
    def key(listing: Listing = LISTING, stored: StoredImages = SQUARES, **settings: object) -> str:
        return plan(listing, stored, **settings).key

    assert key() == key(max_unreadable=0.5)
    keys = [
        key(),
        key(validation=0.3),
        key(test=0.3),
        key(seed=1),
        key(limit=20),
        key(max_pixels=9),
        key(stored=StoredImages(9)),
        key(stored=StoredImages(8, 1)),
        key(stored=StoredImages(8, 3, "bilinear")),
        key(replace(LISTING, identity="1" * 64)),
        key(replace(LISTING, targets=RawTargets(LISTING.targets.values, ("cat", "owl")))),
    ]
    assert len(set(keys)) == len(keys)


def test_just_as_many_unreadable_files_as_allowed_are_borne():
    check_quarantine((), 0, 0.0)
    check_quarantine(bad(2), 18, 0.1)
    with pytest.raises(DataError, match=r"3 of 20 samples cannot be read, but data.max_unreadable allows 0.1"):
        check_quarantine(bad(3), 17, 0.1)


def test_too_many_unreadable_files_name_the_first_few():
    with pytest.raises(DataError) as caught:
        check_quarantine(bad(9), 1, 0.1)
    message = str(caught.value)
    assert "cat/0.jpg is empty; cat/1.jpg is empty" in message
    assert "cat/5.jpg" not in message
    assert "; and 4 more; repair or remove them, or raise data.max_unreadable" in message


def test_the_task_is_in_the_key():
    scores = replace(LISTING, targets=RawTargets(np.linspace(0, 1, 40), columns=("score",)))
    regression = build_task(Regression())
    plain = plan(scores, task=regression)
    assert plan(scores, task=build_task(Regression(coverage=0.8))).key != plain.key
    assert plain.key == plan(scores, task=regression).key


def test_facts_are_of_the_training_rows_and_counts_of_every_split():
    planned = plan(LISTING)
    assert facts_of(TASK, planned.targets, planned.splits) == {"num_outputs": 2}
    assert counts_of(TASK, planned.targets, planned.splits) == {
        "train": {"cat": 12, "dog": 12},
        "validation": {"cat": 4, "dog": 4},
        "test": {"cat": 4, "dog": 4},
    }


def test_every_kind_goes_through_the_check_of_names(tmp_path, image_folder):
    image_folder(tmp_path, {"Cat": 9, "cat": 9})
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows no case")
    with pytest.raises(DataError, match="differ in more than case"):
        plan(list_samples(ImageFolderData(path=tmp_path)))


def test_samples_that_cannot_be_had_now_are_no_fault_of_the_data():
    check_quarantine(denied(10), 90, 0.1)
    with pytest.raises(
        ResourceError, match=r"^11 of 100 samples cannot be had at the moment.*dog/0.jpg cannot be read"
    ):
        check_quarantine((*bad(10), *denied(11)), 79, 0.1)
    with pytest.raises(DataError, match=r"^22 of 100 samples cannot be read.*cat/0.jpg is empty"):
        check_quarantine((*bad(11), *denied(11)), 78, 0.1)


def test_groups_times_and_weights_are_in_the_key_only_where_they_are_there():
    rows = np.arange(40)
    grouped, timed, weighted = (
        replace(LISTING, groups=np.array([str(row // 4) for row in rows], dtype=object)),
        replace(LISTING, times=rows.astype(np.float64)),
        replace(LISTING, weights=rows % 3 + 1.0),
    )
    keys = [plan(one).key for one in (LISTING, grouped, timed, weighted)]
    keys += [plan(LISTING, split_by="hash", test=0.3).key, plan(replace(LISTING, weights=rows % 2 + 1.0)).key]
    assert len(set(keys)) == len(keys)
    assert plan(LISTING, split_by="label").key == plan(LISTING).key
    limited = plan(weighted, limit=16)
    np.testing.assert_array_equal(limited.weights, limited.rows % 3 + 1.0)
    assert plan(grouped, limit=16).groups.tolist() == [str(row // 4) for row in plan(grouped, limit=16).rows]
    assert (limited.groups, plan(LISTING).weights) == (None, None)


def test_rows_may_move_for_duplicates_only_where_chance_has_put_them():
    given = LISTING.given.copy()
    given[:10] = Split.TEST
    planned = plan(replace(LISTING, given=given))
    np.testing.assert_array_equal(planned.movable, planned.rows >= 10)
    timed = plan(replace(LISTING, times=np.arange(40.0)))
    assert not timed.movable.any()
    assert plan(LISTING, split_by="hash", test=0.3).movable.all()


def test_some_training_sample_must_count():
    planned = plan(LISTING)
    weights = np.where(np.isin(np.arange(40), planned.rows[planned.splits == Split.TRAIN]), 0.0, 1.0)
    with pytest.raises(DataError, match="the weights of all 24 training samples of here are 0, but some must count"):
        plan(replace(LISTING, weights=weights))

import numpy as np
import pytest

from graft.meta.memory.records import TaskEntry
from graft.meta.task_embedding.layout import plane
from graft.meta.task_embedding.similarity import OTHER_QUESTION, UNVECTORED, are_comparable, nearest, similarity
from graft.meta.task_embedding.vector import GROUPS, NAMES

META = {"log_rows": 3.0, "log_outputs": 1.0, "balance": 0.9}


def task(name, at=0.0, version="1:x", **changes):
    vector = tuple(np.full(len(NAMES), at)) if version else ()
    usual = {"modality": "image", "task_kind": "classification", "rows": 100, "outputs": 3, "meta_features": META}
    return TaskEntry(**{"task": name, **usual, "embedding": vector, "embedding_version": version, **changes})


def test_a_task_is_like_itself_and_less_like_others_the_farther_they_are():
    one, near, far = task("a"), task("b", 0.1), task("c", 0.5)
    assert similarity(one, one) == 1.0
    assert 1 > similarity(one, near) > similarity(one, far) > 0
    assert similarity(one, near) == similarity(near, one)


def test_equal_tasks_of_another_name_are_as_like_as_can_be():
    assert similarity(task("a"), task("b")) == 1.0


def test_tasks_of_other_samples_have_nothing_in_common():
    assert similarity(task("a"), task("b", modality="text")) == 0.0


def test_tasks_of_another_question_have_a_little():
    assert similarity(task("a"), task("b", task_kind="regression")) == pytest.approx(OTHER_QUESTION)


@pytest.mark.parametrize("other", ["2:x", "1:y", "1:x+fisher", ""])
def test_vectors_of_another_version_are_not_compared(other):
    one, strange = task("a"), task("b", 0.0, other)
    assert not are_comparable(one, strange)
    assert similarity(one, strange) == pytest.approx(UNVECTORED)
    assert similarity(one, task("b", 5.0, other)) == pytest.approx(UNVECTORED)


def test_a_vector_of_another_length_is_not_compared():
    short = task("b", embedding=(1.0, 2.0), embedding_version="1:x")
    assert not are_comparable(task("a"), short)
    assert similarity(task("a"), short) == pytest.approx(UNVECTORED)


def test_nothing_but_a_name_leaves_little():
    bare = task("b", version="", meta_features={})
    assert 0 < similarity(task("a"), bare) < UNVECTORED


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_broken_vector_is_far_from_all(value):
    broken = tuple(np.full(len(NAMES), value))
    found = similarity(task("a"), task("b", embedding=broken))
    assert 0 <= found < 0.2


def test_the_fisher_information_counts_where_both_have_it():
    def with_fisher(name, value):
        return task(name, embedding=(*np.zeros(len(NAMES)), value), embedding_version="1:x+fisher")

    one = with_fisher("a", -3.0)
    assert similarity(one, with_fisher("b", -3.0)) == 1.0 > similarity(one, with_fisher("c", -5.0))


def test_the_nearest_come_first():
    others = [task("far", 0.9), task("near", 0.1), task("a")]
    assert [one.task for one, _ in nearest(task("a"), others, 5)] == ["near", "far"]


def test_the_groups_cover_the_vector():
    assert [place.stop - place.start for place in GROUPS.values()] == [7, 5, 32]


def test_the_plane_keeps_like_tasks_together():
    tasks = [task("a"), task("b", 0.02), task("c", 0.9), task("d", 0.92)]
    points = plane(tasks)
    assert points.shape == (4, 2)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert max(apart[0, 1], apart[2, 3]) < 0.3 * apart[0, 2]
    assert plane(tasks) == pytest.approx(points)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_tasks_have_places_too(count):
    assert plane([task(str(n), n) for n in range(count)]).shape == (count, 2)

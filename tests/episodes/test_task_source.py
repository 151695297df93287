"""Tasks are what they are said to be, by seed and place; what cannot give them is refused in a line."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from graft.core.errors import DataError, SpecError
from graft.episodes.samples import FEATURES, Samples
from graft.episodes.task_source import Episode, EpisodeShape, TaskSource, require_disjoint

Make = Callable[..., Samples]


def rows_of(samples: Samples, features: torch.Tensor) -> list[int]:
    return [int((samples.inputs[FEATURES] == one).all(dim=1).nonzero()[0]) for one in features]


def test_a_task_has_ways_shots_and_queries_of_one_group_or_of_all(make_samples: Make) -> None:
    samples = make_samples(classes=12, groups=3)
    source = TaskSource(samples, EpisodeShape(3, (1, 2), 3, within=0.5))
    shots, groups = set(), set()
    for step in range(30):
        episode = source.episode(step)
        support, query = (rows_of(samples, one[FEATURES]) for one in (episode.support, episode.query))
        assert len({*support, *query}) == len(support) + len(query)
        shots.add(len(support) // 3)
        for rows, labels in ((support, episode.support_labels), (query, episode.query_labels)):
            pairs = {(int(samples.labels[row]), int(label)) for row, label in zip(rows, labels, strict=True)}
            assert len(pairs) == 3
        groups.add(len(np.unique(samples.groups[support])))
    assert shots == {1, 2}
    assert groups >= {1, 3}


def test_the_same_seed_and_place_give_the_same_task_whatever_came_before(make_samples: Make) -> None:
    samples, shape = make_samples(), EpisodeShape(3, (1,), 2, 0.0)
    source = TaskSource(samples, shape, seed=4)
    late = [source.episode(step, 1).query[FEATURES] for step in (0, 5, 9)][-1]
    assert torch.equal(late, TaskSource(samples, shape, seed=4).episode(9, 1).query[FEATURES])
    assert not torch.equal(late, source.episode(9, 0).query[FEATURES])
    assert not torch.equal(late, TaskSource(samples, shape, seed=5).episode(9, 1).query[FEATURES])
    assert torch.equal(source.batch(9, 2).query[FEATURES][1], late)
    assert torch.equal(source.batch(9, 1, first=1).query[FEATURES][0], late)


def test_a_class_of_two_users_gives_tasks_of_one_user(make_samples: Make) -> None:
    samples = make_samples(classes=2, each=12)
    users = np.tile([0, 1], 12)
    source = TaskSource(Samples.of(samples.inputs, samples.labels, users), EpisodeShape(2, (2,), 3, 1.0))
    for step in range(5):
        rows = rows_of(samples, source.episode(step).support[FEATURES])
        assert len(set(users[rows])) == 1


@pytest.mark.parametrize(
    ("given", "shape", "told"),
    [
        (
            {"classes": 4},
            EpisodeShape(5, (1,), 2, 0.0),
            "there are 4 classes, but a task of 5 ways needs 5; lower ways",
        ),
        ({"classes": 1}, EpisodeShape(2, (1,), 2, 0.0), "there is 1 class, but a task of 2 ways needs 2"),
        ({"each": 1}, EpisodeShape(2, (1,), 1, 0.0), "0 of 8 classes have the 2 samples that 1 shots and 1 queries"),
        ({"each": 5}, EpisodeShape(2, (1, 4), 2, 0.0), "0 of 8 classes have the 6 samples that 4 shots and 2 queries"),
        ({"groups": 8}, EpisodeShape(2, (1,), 2, 1.0), "no 2 classes of one group have 3 samples each"),
    ],
)
def test_too_few_classes_or_samples_are_told(make_samples: Make, given: dict, shape: EpisodeShape, told: str) -> None:
    with pytest.raises(DataError, match=told):
        TaskSource(make_samples(**given), shape)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ways": 1}, "ways: is 1, but must be >= 2"),
        ({"shots": ()}, "shots: is 0, but must be >= 1"),
        ({"queries": 0}, "queries: is 0, but must be >= 1"),
        ({"within": 1.5}, "within: is 1.5, but must be a share"),
    ],
)
def test_a_shape_that_is_none_is_refused(given: dict, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        EpisodeShape(**given)


def test_copies_are_refused_and_can_be_left_out(make_samples: Make) -> None:
    samples = make_samples()
    rows = np.r_[np.arange(len(samples)), 3, 3]
    twice = samples.some(rows)
    with pytest.raises(DataError, match="2 of 50 samples are copies of others, such as row 48 of row 3,"):
        TaskSource(twice, EpisodeShape(3, (1,), 2, 0.0))
    with pytest.raises(DataError, match=r"such as 48.png of 3.png, but .*`tasks.duplicates: drop` in the job"):
        twice.require_distinct([f"{row}.png" for row in range(50)])
    assert len(twice.distinct()) == len(samples)
    TaskSource(twice.distinct(), EpisodeShape(3, (1,), 2, 0.0))


def test_a_query_that_was_told_is_refused() -> None:
    one = torch.arange(6.0).reshape(3, 2)
    episode = Episode({FEATURES: one}, torch.arange(3), {FEATURES: one[[2]] + 1}, torch.tensor([2]), 3)
    require_disjoint(episode)
    with pytest.raises(DataError, match="query 0 is the same sample as support 2"):
        require_disjoint(Episode({FEATURES: one}, torch.arange(3), {FEATURES: one[[2]]}, torch.tensor([2]), 3))


def test_arrays_must_be_of_one_length() -> None:
    with pytest.raises(DataError, match="there are 3 labels, 3 groups, 4 features"):
        Samples.of(np.zeros((4, 2)), [1, 2, 3])
    with pytest.raises(DataError, match="one at least"):
        Samples.of(np.zeros((0, 2)), [])

"""What every start and every adapter of episodes must keep, whichever package it comes from.

- the same seed gives the same, bit for bit; a training that was cut off goes on as if it had not been;
- the order of the classes, and of the labelled samples, changes no answer;
- the answer to a query does not depend on the other queries, unless the caller hands them over as a pool;
- tasks that are mapped over have the gradient of tasks gone through one by one;
- it learns: held-out tasks are answered better than by chance, and not worse than before.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graft.core.errors import SpecError
from graft.episodes.adapters.by_gradient import ByGradient
from graft.episodes.adapters.protocol import Adapter, ClosedForm, Support, require_task
from graft.episodes.evaluator import evaluate
from graft.episodes.meta_learner import MetaLearner, MetaPlan
from graft.episodes.objective import MetaLoss
from graft.episodes.samples import FEATURES, RAW, Samples
from graft.episodes.starts.protocol import Start
from graft.episodes.task_source import Episode, EpisodeShape, TaskSource
from graft.learner.mapped.meta_map import fill_adapted
from graft.models.feature_scaling import FeatureMapping
from graft.models.network import linear_head
from graft.spec.components.head import LinearHead
from graft.spec.meta.adapters import AdapterSpec, PrototypeAdapter
from graft.spec.meta.starts import MapStart, StartSpec
from graft.spec.registry import build, members

WIDTH, SIDE = 12, 16
SHAPES = {FEATURES: (WIDTH,), RAW: (SIDE, SIDE)}


def samples_of(classes: int, seed: int) -> Samples:
    """Classes that differ in a few directions, below nuisance in all others."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((classes, WIDTH))
    centres[:, :4] = rng.normal(size=(classes, 4))
    grids = rng.integers(0, 256, (classes, SIDE, SIDE))
    labels = np.repeat(np.arange(classes), 8)
    features = centres[labels] + rng.normal(size=(len(labels), WIDTH)) * np.r_[[0.3] * 4, [1.0] * (WIDTH - 4)]
    raw = (grids[labels] + rng.normal(size=(len(labels), SIDE, SIDE)) * 40).clip(0, 255)
    inputs = {FEATURES: features.astype(np.float32), RAW: raw.astype(np.uint8)}
    return Samples.of(inputs, labels, labels % 2)


SAMPLES, HELD_OUT = samples_of(16, 0), samples_of(12, 1)
SHAPE = EpisodeShape(ways=4, shots=(1, 2), queries=3, within=0.5)


def starts() -> list[Any]:
    return [pytest.param(one.model_validate({}), id=kind) for kind, one in members("meta_start").items()]


def adapters() -> list[Any]:
    return [pytest.param(one.model_validate({}), id=kind) for kind, one in members("adapter").items()]


def built(start: StartSpec, adapter: AdapterSpec) -> tuple[Start, Adapter]:
    torch.manual_seed(0)
    one: Start = build(start, SHAPES)
    one.settle(SAMPLES.inputs)
    return one, build(adapter, one)


def answered(start: Start, adapter: Adapter, episode: Episode, pool: bool = False) -> Tensor:
    start.eval()
    return adapter.adapt(start, Support.of(episode, with_queries=pool))(episode.query).detach()


EPISODE = TaskSource(HELD_OUT, EpisodeShape(4, (2,), 3, 0.0)).episode(0)
every_start = pytest.mark.parametrize("start", starts())
every_adapter = pytest.mark.parametrize("adapter", adapters())


@every_start
@every_adapter
def test_queries_do_not_change_one_another(start: StartSpec, adapter: AdapterSpec) -> None:
    one, other = built(start, adapter)
    whole = answered(one, other, EPISODE)
    assert whole.shape == (12, 4)
    answer = other.adapt(one, Support.of(EPISODE))
    for place in (0, 5, 11):
        alone = answer({name: view[place : place + 1] for name, view in EPISODE.query.items()})
        torch.testing.assert_close(alone[0].softmax(0), whole[place].softmax(0), rtol=0, atol=2e-6)
        among = {name: view.flip(0).clone() for name, view in EPISODE.support.items()}
        among = {name: torch.cat([view, view])[:12] for name, view in among.items()}
        for name, view in EPISODE.query.items():
            among[name][place] = view[place]
        torch.testing.assert_close(answer(among)[place].softmax(0), whole[place].softmax(0), rtol=0, atol=1e-6)


@every_start
@every_adapter
def test_neither_the_order_of_samples_nor_of_classes_matters(start: StartSpec, adapter: AdapterSpec) -> None:
    one, other = built(start, adapter)
    rows, classes = torch.randperm(8), torch.tensor([2, 0, 3, 1])
    turned = Episode(
        {name: view[rows] for name, view in EPISODE.support.items()},
        classes[EPISODE.support_labels[rows]],
        EPISODE.query,
        classes[EPISODE.query_labels],
        4,
    )
    found, again = answered(one, other, EPISODE), answered(one, other, turned)
    torch.testing.assert_close(again[:, classes], found, rtol=1e-3, atol=2e-4)


@every_adapter
def test_only_one_that_uses_a_pool_looks_at_it(adapter: AdapterSpec) -> None:
    one, other = built(MapStart(), adapter)
    is_same = torch.equal(answered(one, other, EPISODE), answered(one, other, EPISODE, pool=True))
    assert is_same is not type(other).uses_pool
    assert type(other).is_learned_through == type(adapter).learns
    assert type(other).is_closed_form == type(adapter).is_solved


@every_adapter
def test_what_is_left_out_is_judged_by_the_others(adapter: AdapterSpec) -> None:
    one, other = built(MapStart(), adapter)
    if not isinstance(other, ClosedForm):
        return
    vectors, labels = one.embed(EPISODE.support), EPISODE.support_labels
    with torch.no_grad():
        quick, slow = other.left_out(vectors, labels, 4), ClosedForm.left_out(other, vectors, labels, 4)
    torch.testing.assert_close(quick, slow, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("hidden", [0, 6])
@every_adapter
def test_what_one_by_gradient_makes_of_a_map_is_a_model_that_answers_alike(adapter: AdapterSpec, hidden: int) -> None:
    """`graft fewshot` writes it as a bundle: the map with the head of the task."""
    one, other = built(MapStart(width=8, hidden=hidden), adapter)
    assert isinstance(other, ByGradient) is not (type(adapter).is_solved or _is_foreign(adapter))
    if isinstance(other, ByGradient):
        head = nn.Sequential(FeatureMapping(WIDTH, 8, hidden), linear_head(LinearHead(), 8, 4))
        fill_adapted(head, one, other.adapted(one.eval(), Support.of(EPISODE)))
        torch.testing.assert_close(head(EPISODE.query[FEATURES]), answered(one, other, EPISODE), rtol=1e-4, atol=1e-5)


def _is_foreign(adapter: AdapterSpec) -> bool:
    return not type(adapter).__module__.startswith("graft.")


@every_start
@every_adapter
def test_mapped_tasks_have_the_gradient_of_single_ones(start: StartSpec, adapter: AdapterSpec) -> None:
    if not type(adapter).learns or _is_foreign(adapter):
        return
    batch, found = TaskSource(SAMPLES, SHAPE).batch(0, 3), []
    for over in ("vmap", "loop"):
        one, other = built(start, adapter)
        loss = MetaLoss(one, other, over)
        value = loss(batch)
        value.backward()
        slopes = {name: p.grad for name, p in loss.named_parameters() if p.grad is not None}
        found.append((value.detach(), slopes))
    assert found[0][1].keys() == found[1][1].keys() != set()
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)


def learner(start: StartSpec, adapter: AdapterSpec, epochs: int = 2) -> MetaLearner:
    one, other = built(start, adapter)
    plan = MetaPlan(epochs=epochs, steps=4, tasks=2, lr=3e-3, episodes=8)
    return MetaLearner(MetaLoss(one, other), TaskSource(SAMPLES, SHAPE), TaskSource(HELD_OUT, SHAPE, 1), plan)


PAIRS = [
    *((one.values[0], PrototypeAdapter()) for one in starts() if one.id != "frozen"),
    *((MapStart(width=8), one.values[0]) for one in adapters() if type(one.values[0]).learns),
]


@pytest.mark.parametrize(("start", "adapter"), PAIRS, ids=lambda one: one.kind)
def test_a_training_goes_on_as_if_it_had_never_stopped(start: StartSpec, adapter: AdapterSpec) -> None:
    whole = learner(start, adapter)
    outcome = whole.train(None, validate=True)
    assert outcome.epochs_done == 2
    first = learner(start, adapter)
    first.train(lambda result: result.epoch < 1, validate=True)
    second = learner(start, adapter)
    second.load(first.state())
    second.train(None, validate=True)
    for name, one in whole.state().tensors.items():
        assert torch.equal(one, second.state().tensors[name]), name
    assert whole.best_metrics == second.best_metrics
    assert set(whole.best_metrics) >= {"val/accuracy", "train/loss"}


@pytest.mark.parametrize(("start", "adapter"), PAIRS, ids=lambda one: one.kind)
def test_it_learns(start: StartSpec, adapter: AdapterSpec) -> None:
    one = learner(start, adapter, epochs=3)
    tasks = TaskSource(HELD_OUT, EpisodeShape(4, (1,), 3, 0.0), seed=5)
    before = one.score(tasks, 40)
    one.train(None, validate=True)
    one.restore_best()
    after = one.score(tasks, 40)
    assert after.accuracy > 0.3
    assert after.less(before).interval[1] > 0, f"{before} became {after}"


@every_adapter
def test_a_score_is_the_same_twice(adapter: AdapterSpec) -> None:
    one, other = built(MapStart(), adapter)
    tasks = TaskSource(HELD_OUT, SHAPE, seed=3)
    found = [evaluate(one, other, tasks, 4).of_tasks for _ in range(2)]
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("labels", "ways", "told"),
    [([0, 0], 1, "the task has 1 class, but must have 2"), ([0, 0, 2], 3, "1 of 3 classes have no sample")],
)
def test_what_is_no_task_is_told(labels: list[int], ways: int, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        require_task(torch.tensor(labels), ways)

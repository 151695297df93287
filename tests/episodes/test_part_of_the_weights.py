"""Adapters that move a part of the weights: which part, and from where."""

from collections.abc import Callable

import pytest
import torch

from graft.episodes.adapters.bit_fit import BitFit
from graft.episodes.adapters.inner_loop import BIAS, WEIGHT, InnerSteps
from graft.episodes.adapters.lora import Lora
from graft.episodes.adapters.lp_ft import LpFt
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Support
from graft.episodes.samples import FEATURES, RAW, Samples
from graft.episodes.starts.feature_map import FeatureMap
from graft.episodes.starts.network import OwnNetwork
from graft.episodes.task_source import EpisodeShape, TaskSource

STEPS = InnerSteps(3, 0.2)


@pytest.fixture
def support(make_samples: Callable[..., Samples]) -> Support:
    samples = make_samples(width=6)
    both = {FEATURES: samples.inputs[FEATURES], RAW: samples.inputs[FEATURES]}
    return Support.of(TaskSource(Samples(both, samples.labels, samples.groups), EpisodeShape(3, (3,), 2)).episode(0))


def network() -> OwnNetwork:
    torch.manual_seed(0)
    return OwnNetwork((6,), channels=8)


def test_bit_fit_moves_what_has_one_dimension_alone(support: Support) -> None:
    start = network()
    found = BitFit(start, STEPS).adapted(start, support)
    moved = {name for name, one in start.named_parameters() if not torch.equal(found[name], one)}
    assert moved == {name for name, one in start.named_parameters() if one.ndim == 1} != set()


def test_lora_adds_a_matrix_of_its_rank_and_begins_at_the_start(support: Support) -> None:
    start = network()
    adapter = Lora(start, STEPS, rank=2)
    found = adapter.adapted(start, support)
    for name, one in start.named_parameters():
        ranks = torch.linalg.matrix_rank(found[name] - one, rtol=1e-3) if one.ndim > 1 else torch.tensor(0)
        assert int(ranks) == (2 if one.ndim > 1 else 0), name
        assert one.ndim > 1 or torch.equal(found[name], one)
    still = Lora(start, InnerSteps(0, 0.2), rank=2).adapted(start, support)
    assert all(torch.equal(still[name], one) for name, one in start.named_parameters())


def test_a_rank_is_at_most_that_of_the_matrix() -> None:
    start = FeatureMap(6, 3)
    (down,) = Lora(start, STEPS, rank=64).down
    assert down.shape == (3, 6)


def test_lp_ft_probes_first_and_then_is_what_maml_does_from_there(support: Support) -> None:
    start = network()
    probed = LpFt(start, STEPS, InnerSteps(0, 0.1)).adapted(start, support)
    assert all(torch.equal(probed[name], one) for name, one in start.named_parameters())
    begun = Maml(start, InnerSteps(0, 0.1)).adapted(start, support)
    assert not torch.equal(probed[WEIGHT], begun[WEIGHT])
    whole = LpFt(start, STEPS, InnerSteps(2, 0.1)).adapted(start, support)
    assert all(not torch.equal(whole[name], probed[name]) for name in (WEIGHT, BIAS, "layers.0.weight"))
    unprobed = LpFt(start, InnerSteps(0, 0.2), InnerSteps(2, 0.1)).adapted(start, support)
    same = Maml(start, InnerSteps(2, 0.1)).adapted(start, support)
    assert all(torch.equal(unprobed[name], one) for name, one in same.items())

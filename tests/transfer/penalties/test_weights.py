import pytest
import torch

from graft.core.errors import SpecError
from graft.spec.components.activation_penalty import BatchSpectralShrinkage, Delta, SupervisedContrast
from graft.spec.components.penalty import L1, L1SP, L2, L2SP, NoPenalty
from graft.spec.registry import members
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.classification import CoTuning
from graft.transfer.freezing import AdaptedModel
from graft.transfer.parameter_groups import trainable_parts
from graft.transfer.penalties.weights import build_penalty

SPECS = {
    "none": NoPenalty(),
    "l1": L1(strength=0.3),
    "l2": L2(strength=0.3),
    "l2_sp": L2SP(strength=0.3, head_strength=0.7),
    "l1_sp": L1SP(strength=0.3, head_strength=0.7),
    "delta": Delta(head_strength=0.7),
    "bss": BatchSpectralShrinkage(),
    "contrast": SupervisedContrast(),
    "co_tuning": CoTuning(),
}


def build(spec, network, cut=1, num_redrawn=1):
    return build_penalty(spec, trainable_parts(AdaptedModel(network, cut), num_redrawn))


def shift(network, by=0.5):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(by)


def weights(network, *prefixes):
    named = network.named_parameters()
    return [p.detach() for name, p in named if name.startswith(prefixes) and p.ndim >= 2]


def test_every_registered_penalty_is_tested_here():
    assert {*members("penalty")} == {*SPECS}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_added_gradients_are_those_of_the_value(make_classifier, spec):
    network = make_classifier()
    penalty = build(spec, network)
    shift(network)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = torch.full_like(parameter, 2.0)
    penalty.add_gradients()
    value = penalty.value()
    expected = torch.autograd.grad(value, trained, allow_unused=True) if value.requires_grad else [None] * len(trained)
    for parameter, gradient in zip(trained, expected, strict=True):
        added = torch.zeros_like(parameter) if gradient is None else gradient
        torch.testing.assert_close(parameter.grad, 2.0 + added)


def test_values_by_hand(make_classifier):
    network = make_classifier()
    part = ("backbone.blocks.1", "backbone.blocks.2", "backbone.blocks.3", "head")
    free = weights(network, *part)
    l1, l2 = build(SPECS["l1"], network), build(SPECS["l2"], network)
    assert l1.value().item() == pytest.approx(0.3 * sum(w.abs().sum().item() for w in free), rel=1e-5)
    assert l2.value().item() == pytest.approx(0.15 * sum(w.square().sum().item() for w in free), rel=1e-5)


def test_l2_sp_pulls_pretrained_weights_to_their_start_and_new_ones_to_zero(make_classifier):
    network = make_classifier()
    penalty = build(SPECS["l2_sp"], network)
    new = sum(w.square().sum().item() for w in weights(network, "backbone.blocks.3", "head"))
    assert penalty.value().item() == pytest.approx(0.35 * new, rel=1e-5)
    with torch.no_grad():
        network.backbone.blocks[1][0].weight.add_(0.5)
    moved = network.backbone.blocks[1][0].weight.numel() * 0.25
    assert penalty.value().item() == pytest.approx(0.15 * moved + 0.35 * new, rel=1e-5)


def test_l1_sp_pulls_pretrained_weights_to_their_start_by_their_distance(make_classifier):
    network = make_classifier()
    penalty = build(L1SP(strength=0.3, head_strength=0), network)
    assert penalty.value().item() == 0
    with torch.no_grad():
        network.backbone.blocks[1][0].weight.sub_(0.5)
    assert penalty.value().item() == pytest.approx(0.15 * network.backbone.blocks[1][0].weight.numel(), rel=1e-5)


def test_l2_sp_is_zero_at_the_start_without_a_head_strength(make_classifier):
    assert build(L2SP(strength=1.0, head_strength=0), make_classifier()).value().item() == 0


def test_no_penalty_is_zero_wherever_the_weights_are(make_classifier):
    network = make_classifier()
    penalty = build(NoPenalty(), network)
    shift(network)
    assert penalty.value().item() == 0


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_frozen_weights_biases_and_norms_are_no_part_of_it(make_classifier, spec):
    network = make_classifier()
    penalty = build(spec, network, cut=2)
    before = penalty.value().item()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1 or name.startswith(("backbone.stem", "backbone.blocks.0", "backbone.blocks.1")):
                parameter.add_(10.0)
    assert penalty.value().item() == before


def test_the_start_of_l2_sp_is_the_same_bits_at_every_build(make_classifier):
    values = []
    for _ in range(2):
        network = make_classifier()
        penalty = build(SPECS["l2_sp"], network)
        shift(network)
        values.append(penalty.value().item())
    assert values[0] == values[1]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_weights_that_were_moved_are_followed(make_classifier, spec):
    network = make_classifier()
    penalty = build(spec, network)
    shift(network)
    before = penalty.value().item()
    network.to(torch.float64)
    penalty.follow_weights()
    assert penalty.value().dtype == (
        torch.float32 if spec.kind in ("none", "bss", "contrast", "co_tuning") else torch.float64
    )
    assert penalty.value().item() == pytest.approx(before)


def test_weights_without_a_gradient_are_passed_over(make_classifier):
    network = make_classifier()
    build(SPECS["l2"], network).add_gradients()
    assert all(parameter.grad is None for parameter in network.parameters())


def test_an_unknown_penalty_is_named_with_its_neighbour():
    with pytest.raises(SpecError, match="did you mean `l2_sp`"):
        StrategySpace.parse({"penalty": "l2_spp"})

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from graft.models.mapping.axes import IN, OUT, Axis, Role, axes_of
from graft.models.mapping.growth import (
    can_grow,
    closing_tensors,
    copy_indices,
    grow,
    is_post_norm,
    near_identity_norm,
)

KERNEL = Axis(Role.KERNEL)


def grown(small: nn.Module, large: nn.Module, spread: float = 0.5) -> nn.Module:
    """The larger of two networks of one form, with what the smaller computes."""
    axes, source = axes_of(large), small.state_dict()
    state = {
        name: grow(source[name], tensor.shape, axes[name], spread, seed) if tensor.ndim else source[name]
        for seed, (name, tensor) in enumerate(large.state_dict().items())
    }
    large.load_state_dict(state)
    return large.eval()


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1 if tensor.ndim == 1 else torch.randn_like(tensor) * 0.3)
    return network.eval()


@given(old=st.integers(1, 9), more=st.integers(0, 20), segments=st.sampled_from([1, 2, 3]))
def test_every_unit_is_copied_and_none_twice_before_all_once(old, more, segments):
    found = copy_indices(old * segments, (old + more) * segments, segments)
    assert set(found.tolist()) == set(range(old * segments))
    counts = torch.bincount(found)
    assert counts.max() - counts.min() <= 1


def test_fewer_units_are_refused():
    with pytest.raises(ValueError, match="5 units in 1 parts cannot grow to 4"):
        copy_indices(5, 4)


@settings(max_examples=30)
@given(old=st.integers(1, 8), more=st.integers(0, 16), spread=st.sampled_from([0.0, 0.5, 1.0]))
def test_what_is_taken_sums_to_what_it_was(old, more, spread):
    weight = torch.randn(3, old)
    wide = grow(weight, (3, old + more), (OUT, IN), spread, seed=7)
    sums = torch.zeros(3, old).index_add_(1, copy_indices(old, old + more), wide)
    torch.testing.assert_close(sums, weight, rtol=1e-5, atol=1e-6)


def perceptron(hidden, width):
    return nn.Sequential(nn.Linear(5, width), nn.GELU(), nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 5))


def convolutions(width, groups=1):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, groups=groups),
        nn.BatchNorm2d(width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 5),
    )


@pytest.mark.parametrize("spread", [0.0, 0.5])
@pytest.mark.parametrize(
    ("small", "large", "inputs"),
    [
        (perceptron(6, 4), perceptron(13, 11), (4, 5)),
        (convolutions(6), convolutions(8), (2, 3, 6, 6)),
        (convolutions(6, groups=6), convolutions(9, groups=9), (2, 3, 6, 6)),
        (convolutions(6, groups=2), convolutions(12, groups=4), (2, 3, 6, 6)),
    ],
    ids=["perceptron", "convolutions", "depthwise", "grouped"],
)
def test_a_wider_network_computes_the_same(small, large, inputs, spread):
    x = torch.randn(inputs)
    with torch.inference_mode():
        before, after = drawn(small)(x), grown(small, large, spread)(x)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_layer_norm_keeps_multiples_only():
    small, x = drawn(nn.LayerNorm(4)), torch.randn(3, 4)
    twice = grown(small, nn.LayerNorm(8))(x.repeat(1, 2))
    torch.testing.assert_close(twice[:, :4], small(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(twice[:, 4:], small(x), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(grown(small, nn.LayerNorm(6))(x[:, copy_indices(4, 6)])[:, :4], small(x), atol=1e-3)


def test_copies_learn_apart():
    torch.manual_seed(0)
    x, y = torch.randn(16, 5), torch.randn(16, 5)

    def rows(spread):
        network = grown(drawn(perceptron(6, 4)), perceptron(6, 8), spread).train()
        nn.functional.mse_loss(network(x), y).backward()
        return network[0].weight.grad[:4], network[0].weight.grad[4:]

    torch.testing.assert_close(*rows(0.0))
    assert not torch.allclose(*rows(0.5), rtol=1e-2)


def test_a_kernel_grows_by_zeros_around():
    small, large = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 5, padding=2)
    x = torch.randn(1, 2, 7, 7)
    torch.testing.assert_close(grown(small, large)(x), small(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "axes"),
    [
        ((4,), (3,), (OUT,)),
        ((2, 3), (2, 2), (OUT, IN)),
        ((2, 3), (2,), (OUT,)),
        ((1, 1, 3), (1, 1, 4), (OUT, IN, KERNEL)),
    ],
)
def test_what_cannot_grow_is_said(old, new, axes):
    assert not can_grow(old, new, axes)
    with pytest.raises(ValueError, match="cannot grow"):
        grow(torch.ones(old), new, axes)


@pytest.mark.parametrize(
    ("name", "count"), [("test_resnet", 1), ("mobilenetv2_035", 10), ("test_vit", 6), ("test_convnext", 9)]
)
def test_a_closed_block_gives_back_what_it_takes(name, count):
    import timm

    blocks = ("BasicBlock", "Bottleneck", "InvertedResidual", "Block", "ConvNeXtBlock")
    network = timm.create_model(name, num_classes=0).eval()
    found = [one for one in network.modules() if type(one).__name__ in blocks and closing_tensors(one)]
    assert len(found) == count
    for block in found:
        width = next(one for one in block.parameters() if one.ndim > 1).shape
        width = width[1] if width[1] > 1 else width[0]
        x = torch.rand(2, 5, 64) if name == "test_vit" else torch.rand(2, width, 4, 4)
        with torch.no_grad():
            for one in closing_tensors(block):
                block.get_parameter(one).zero_()
            torch.testing.assert_close(block(x), x, rtol=1e-6, atol=1e-6)


def test_what_adds_nothing_cannot_be_closed():
    assert closing_tensors(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))) == ()


def test_post_norm_is_known():
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertLayer

    layer = BertLayer(BertConfig(hidden_size=8, num_attention_heads=2, intermediate_size=8))
    assert is_post_norm(layer)
    assert closing_tensors(layer) == (
        "attention.output.dense.weight",
        "attention.output.dense.bias",
        "output.dense.weight",
        "output.dense.bias",
    )


def test_a_norm_behind_a_norm_gives_back_what_it_takes_where_all_numbers_are_scaled_alike():
    first, second = nn.LayerNorm(16), nn.LayerNorm(16)
    nn.init.constant_(first.weight, 1.7)
    nn.init.constant_(first.bias, -0.4)
    weight, bias = near_identity_norm(first.weight.detach(), first.bias.detach())
    second.load_state_dict({"weight": weight, "bias": bias})
    given = first(torch.randn(5, 16))
    torch.testing.assert_close(second(given), given, rtol=1e-4, atol=1e-4)


def test_a_norm_behind_a_norm_is_nearer_than_the_same_norm_twice():
    torch.manual_seed(0)
    first = nn.LayerNorm(256)
    weight, bias = first.weight.detach() * (0.5 + torch.rand(256)), torch.randn(256) * 0.2
    first.load_state_dict({"weight": weight, "bias": bias})
    second = nn.LayerNorm(256)
    given = first(torch.randn(50, 256))
    errors = []
    for pair in (near_identity_norm(weight, bias), (weight, bias)):
        second.load_state_dict(dict(zip(("weight", "bias"), pair, strict=True)))
        errors.append(float((second(given) - given).detach().abs().mean()))
    assert errors[0] < errors[1] / 3

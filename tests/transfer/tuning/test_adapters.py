import re

import pytest
import torch
from torch import nn

from graft.core.errors import SpecError
from graft.models.backbone import Backbone
from graft.models.load import load_backbone
from graft.models.network import Network
from graft.spec.components.tuning import LowRank, Rescaling
from graft.spec.strategy import Strategy
from graft.transfer.adapt import adapt
from graft.transfer.reinitialise import reinitialise
from graft.transfer.tuning.adapters import Adapter, adapters_of, merge_adapters


class Shortened(nn.Module):
    """Reads the weight of a layer that it does not call, as some attentions do."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, x):
        return nn.functional.linear(x, self.inner.weight)


def of_linear(*blocks):
    return Network(Backbone(nn.Sequential(nn.Linear(6, 6)), blocks, nn.Identity(), 6), nn.Linear(6, 2))


def of_convolutions():
    """Dense, strided and dilated ones, one with a bias, one depthwise, and one of groups."""
    layers = [
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(8, 8, 3, groups=8, padding=1),
        nn.Conv2d(8, 12, 1),
        nn.Conv2d(12, 12, 3, groups=3, padding=1),
        nn.BatchNorm2d(12),
    ]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network(Backbone(nn.Identity(), [nn.Sequential(*layers)], pool, 12), nn.Linear(12, 2))


def move(network, by=0.3):
    generator = torch.Generator().manual_seed(1)
    for _, adapter in adapters_of(network):
        for parameter in adapter.parameters():
            if parameter.requires_grad:
                parameter.data += by * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("spec", [LowRank(rank=3, alpha=5, dropout=0.3), Rescaling()], ids=lambda spec: spec.kind)
def test_what_is_merged_gives_what_both_gave(spec):
    network = of_convolutions()
    plain = [*network.state_dict()]
    model = adapt(network, Strategy(tune=spec), 0).model
    move(network)
    images = torch.randn(4, 3, 9, 9)
    with torch.no_grad():
        expected = model.eval()(images)
        merge_adapters(network)
        torch.testing.assert_close(network(images), expected, rtol=1e-5, atol=1e-5)
    assert [*network.state_dict()] == plain
    assert not any(isinstance(module, Adapter) for module in network.modules())


def test_grouped_convolutions_have_no_adapter_of_low_rank_but_a_scale():
    layers = {"lora": ["0", "1", "3"], "ia3": ["0", "1", "2", "3", "4"]}
    for kind, expected in layers.items():
        network = of_convolutions()
        adapt(network, Strategy.model_validate({"tune": kind}), 0)
        assert [name for name, _ in adapters_of(network.backbone.blocks[0])] == expected


@pytest.mark.parametrize(
    ("targets", "adapted"),
    [((), ["a", "b.a", "b.c"]), (("a",), ["a", "b.a"]), (("b.a",), ["b.a"]), (("b.*", "a"), ["a", "b.a", "b.c"])],
)
def test_a_target_is_the_last_parts_of_a_name(targets, adapted):
    inner = nn.ModuleDict({"a": nn.Linear(6, 6), "c": nn.Linear(6, 6)})
    network = of_linear(nn.ModuleDict({"a": nn.Linear(6, 6), "b": inner}))
    adapt(network, Strategy(tune=LowRank(targets=targets)), 0)
    assert [name for name, _ in adapters_of(network.backbone.blocks[0])] == adapted


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_a_target_that_matches_nothing_is_refused_with_the_names_that_exist(kind):
    network = of_linear(nn.Sequential(nn.Linear(6, 6), nn.ReLU()))
    told = "strategy.tune.targets: names the target `query`, which matches no layer that can have an adapter in the "
    told += "blocks that train; there are `0`"
    with pytest.raises(SpecError, match=re.escape(told)):
        adapt(network, Strategy.model_validate({"tune": {"kind": kind, "targets": ["0", "query"]}}), 0)
    assert not [*adapters_of(network)]


def test_blocks_without_a_layer_that_fits_are_refused():
    network = of_linear(nn.Sequential(nn.Linear(6, 6)), nn.Sequential(nn.LayerNorm(6)))
    with pytest.raises(SpecError, match=r"finds no layer that can have an adapter .* there are none at all"):
        adapt(network, Strategy(tune="lora", freeze=0.5), 0)


@pytest.mark.parametrize("kind", ["norms", "biases"])
def test_blocks_without_what_would_train_are_refused(kind):
    network = of_linear(nn.Sequential(nn.LayerNorm(6)), nn.Sequential(nn.Linear(6, 6, bias=False)))
    with pytest.raises(SpecError, match=f"strategy.tune: is {kind}, but the blocks that train have none"):
        adapt(network, Strategy(tune=kind, freeze=0.5), 0)


def test_a_layer_whose_weights_are_read_past_it_is_refused_and_not_passed_over():
    network = of_linear(Shortened())
    model = adapt(network, Strategy(tune="lora"), 0).model
    with pytest.raises(SpecError, match="reads without calling it; name other `targets`"):
        model(torch.randn(2, 6))


def test_attention_of_torch_keeps_its_projection():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network = Network(Backbone(nn.Identity(), [layer], nn.Flatten(), 8), nn.Linear(8, 2))
    adapt(network, Strategy(tune="lora"), 0)
    assert [name for name, _ in adapters_of(network.backbone.blocks[0])] == ["linear1", "linear2"]


def test_decay_pulls_the_change_and_penalties_leave_it_alone():
    network = of_convolutions()
    adapted = adapt(network, Strategy(tune="lora", penalty="l2", weight_decay=0.1), 0)
    named = {group["name"]: group["names"] for group in adapted.groups}
    assert named["backbone/decay"]
    assert all(".up." in name or ".down." in name for name in named["backbone/decay"])
    before = adapted.penalty.value().item()
    move(network)
    assert adapted.penalty.value().item() == before


@pytest.mark.parametrize("size", [32, 64])
def test_a_real_network_starts_where_it_was_and_merges(size):
    """With layers that pad as TensorFlow does, and those that choose by the size of the map."""
    network = Network(load_backbone("efficientnet_lite0", size).backbone, nn.Linear(1280, 3))
    images = torch.randn(2, 3, size, size)
    names = [*network.state_dict()]
    with torch.no_grad():
        reinitialise([network.head], 0, "head")
        expected = network.eval()(images)
        model = adapt(network, Strategy(tune="lora", freeze=0.8), 0).model.eval()
        assert torch.equal(model(images), expected)
        move(network, by=0.02)
        moved = model(images)
        assert not torch.equal(moved, expected)
        torch.testing.assert_close(merge_adapters(network)(images), moved, rtol=1e-5, atol=1e-5)
    assert [*network.state_dict()] == names

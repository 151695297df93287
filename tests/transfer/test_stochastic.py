import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from graft.core.errors import SpecError
from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone, load_backbone
from graft.models.network import Network, build_head
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.transfer.adapt import adapt
from graft.transfer.stochastic import DropPath, stochastic_norm


def adapted(name, strategy, size=32):
    backbone = load_backbone(name, size, pretrained=False).backbone
    return adapt(Network(backbone, build_head(strategy.head, backbone.num_features, 3)), strategy, 1).model


def test_a_branch_is_left_out_by_sample_and_keeps_its_mean():
    layer, given = DropPath(0.25), torch.ones(4000, 2, 1)
    torch.manual_seed(0)
    made = layer(given)
    assert sorted(set(made.flatten().tolist())) == pytest.approx([0, 4 / 3])
    assert (made[:, 0] == made[:, 1]).all()
    assert made.mean().item() == pytest.approx(1, abs=0.05)
    assert layer.eval()(given) is given


def test_rates_rise_with_depth_and_frozen_blocks_have_none():
    model = adapted("efficientnet_lite0", Strategy(drop_path=0.17, freeze=0.5))
    blocks = model.network.backbone.blocks
    rates = [[one.rate for one in block.modules() if isinstance(one, DropPath)] for block in blocks]
    assert rates[: model.cut] == [[]] * model.cut
    assert [one for some in rates for one in some] == pytest.approx([(index + 1) / 100 for index in range(8, 16)])


def test_states_fit_networks_without_and_eval_mode_is_as_it_was():
    plain, chance = (adapted("efficientnet_lite0", Strategy(drop_path=rate)) for rate in (0.0, 0.5))
    chance.network.load_state_dict(plain.network.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(plain.eval()(images), chance.eval()(images))
    assert not torch.equal(chance.train()(images), chance(images))


@pytest.mark.parametrize(
    ("name", "size", "branches"),
    [("timm:resnet18", 32, 8), ("timm:vit_tiny_patch16_224", 32, 24), ("timm:convnext_atto", 32, 12)],
)
def test_other_families_have_places_too(name, size, branches):
    model = adapted(name, Strategy(drop_path=0.2), size)
    assert sum(isinstance(one, DropPath) for one in model.modules()) == branches
    model.train()(torch.randn(2, 3, size, size)).sum().backward()


@pytest.mark.parametrize(("name", "size", "branches"), [("mobilenet_v2", 32, 10), ("minilm_l6", 16, 12)])
def test_branches_without_a_place_of_their_own_are_left_out_where_they_end(name, size, branches):
    model = adapted(name, Strategy(drop_path=0.5), size)
    hooks = [one for module in model.modules() for one in module._forward_hooks.values()]
    assert len(hooks) == branches
    assert [one.rate for one in hooks] == sorted(one.rate for one in hooks)
    plain = adapted(name, Strategy(), size)
    assert plain.state_dict().keys() == model.state_dict().keys()
    plain.load_state_dict(model.state_dict())
    info, pixels = describe_backbone(name), torch.randn(4, 3, size, size)
    is_text = info.modality == "text"
    batch = build_modality("text").example_batch(info, size, 4) if is_text else pixels
    assert torch.equal(plain.eval()(batch), model.eval()(batch))
    trained = model.train()(batch)
    assert not torch.equal(trained, model(batch))
    trained.sum().backward()


def test_dropout_of_an_encoder_is_set_in_trained_blocks_only():
    model = adapted("minilm_l6", Strategy(backbone_dropout=0.35, freeze=0.5), 16)
    blocks = model.network.backbone.blocks
    rates = [{one.p for one in block.modules() if isinstance(one, nn.Dropout)} for block in blocks]
    assert rates == [{0.1}] * 3 + [{0.35}] * 3


@pytest.mark.parametrize(
    ("name", "key", "value", "lacks"),
    [
        ("timm:vgg11", "drop_path", 0.1, "residual branches that can be left out"),
        ("efficientnet_lite0", "backbone_dropout", 0.1, "layers of dropout"),
        ("minilm_l6", "stochastic_norm", 0.5, "batch norms"),
    ],
)
def test_a_network_without_a_place_is_refused_where_it_is_trained(name, key, value, lacks):
    adapted(name, Strategy(**{key: value}, freeze=1.0))
    with pytest.raises(SpecError, match=f"strategy.{key}: is {value}, but the trained blocks of .* have no {lacks}"):
        adapted(name, Strategy(backbone=name, **{key: value}))


class TestStochasticNorm:
    @pytest.mark.parametrize(("chance", "by_running"), [(0.0, False), (1.0, True)])
    def test_its_ends_are_batch_and_running_statistics(self, chance, by_running):
        torch.manual_seed(0)
        norm, x = nn.BatchNorm2d(5), torch.randn(4, 5, 3, 3) + 2
        twin = nn.BatchNorm2d(5)
        expected = twin(x)
        with stochastic_norm(chance):
            found = norm(x)
        assert torch.equal(norm.running_mean, twin.running_mean)
        if by_running:
            expected = functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        torch.testing.assert_close(found, expected)

    def test_between_them_each_channel_is_one_of_both(self):
        norm, x = nn.BatchNorm1d(200), torch.randn(8, 200)
        torch.manual_seed(0)
        with stochastic_norm(0.3):
            found = norm(x)
        by_batch = functional.batch_norm(x, None, None, training=True)
        by_running = functional.batch_norm(x, norm.running_mean, norm.running_var)
        is_batch, is_running = ((found - one).abs().amax(dim=0) < 1e-5 for one in (by_batch, by_running))
        assert (is_batch | is_running).all()
        assert is_running.float().mean().item() == pytest.approx(0.3, abs=0.1)

    def test_subclasses_and_evaluation_keep_what_they_have(self):
        norm = timm.layers.BatchNormAct2d(3)
        with stochastic_norm(0.5):
            assert norm(torch.randn(4, 3, 2, 2)).min() >= 0
            x = torch.randn(4, 3, 2, 2)
            inside = norm.eval()(x)
        assert torch.equal(inside, norm(x))


def test_they_can_be_searched():
    space = StrategySpace.parse({"backbone_dropout": {"choice": [0.0, 0.3]}, "drop_path": {"uniform": [0.0, 0.2]}})
    assert set(space.values("backbone_dropout")) == {0.0, 0.3}

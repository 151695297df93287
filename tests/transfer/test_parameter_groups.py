import pytest
import torch
from torch import nn

from graft.spec.strategy import Strategy
from graft.transfer.freezing import AdaptedModel
from graft.transfer.parameter_groups import parameter_groups, trainable_parts, weights_of


def groups_of(network, cut, num_redrawn=0, **fields):
    parts = trainable_parts(AdaptedModel(network, cut), num_redrawn)
    return {group["name"]: group for group in parameter_groups(parts, Strategy(**fields))}


def test_rates_and_decay_of_the_four_groups(make_classifier):
    groups = groups_of(make_classifier(), 0, lr=0.01, head_lr_factor=10, weight_decay=0.2)
    seen = {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()}
    assert seen == {
        "backbone/decay": (0.01, 0.2),
        "backbone/no_decay": (0.01, 0.0),
        "head/decay": (pytest.approx(0.1), 0.2),
        "head/no_decay": (pytest.approx(0.1), 0.0),
    }


@pytest.mark.parametrize("cut", [0, 1, 3, 4])
def test_every_trainable_parameter_is_in_exactly_one_group(make_classifier, cut):
    network = make_classifier()
    groups = groups_of(network, cut)
    grouped = [id(parameter) for group in groups.values() for parameter in group["params"]]
    trainable = [id(parameter) for parameter in network.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trainable)


def test_a_linear_probe_has_no_backbone_group(make_classifier):
    assert [*groups_of(make_classifier(), 4)] == ["head/decay", "head/no_decay"]


def test_biases_and_norms_do_not_decay(make_classifier):
    groups = groups_of(make_classifier(), 0)
    assert all(parameter.ndim >= 2 for parameter in groups["backbone/decay"]["params"])
    assert all(parameter.ndim == 1 for parameter in groups["backbone/no_decay"]["params"])


def test_position_embeddings_and_tokens_are_no_weights_but_attention_matrices_are():
    named = {
        "stem.pos_embed": nn.Parameter(torch.zeros(1, 4, 8)),
        "stem.cls_token": nn.Parameter(torch.zeros(1, 1, 8)),
        "blocks.0.attn.in_proj_weight": nn.Parameter(torch.zeros(24, 8)),
        "blocks.0.norm.weight": nn.Parameter(torch.zeros(8)),
    }
    assert [*weights_of(named)] == ["blocks.0.attn.in_proj_weight"]


def test_parts_tell_pretrained_from_redrawn(make_classifier):
    parts = trainable_parts(AdaptedModel(make_classifier(), 2), 1)
    assert {name.split(".")[2] for name in parts.pretrained} == {"2"}
    assert {name.split(".")[2] for name in parts.redrawn} == {"3"}
    assert {*parts.new} == {*parts.redrawn, "head.1.weight", "head.1.bias"}


def test_ten_blocks_are_not_mistaken_for_block_one(make_classifier):
    model = AdaptedModel(make_classifier(num_blocks=11), 2)
    parts = trainable_parts(model, 1)
    assert {name.split(".")[2] for name in parts.redrawn} == {"10"}
    assert {name.split(".")[2] for name in parts.pretrained} == {str(index) for index in range(2, 10)}
    assert any(name.startswith("backbone.blocks.10.") for name in model.changing_state())


def test_names_stand_beside_their_parameters(make_classifier):
    network = make_classifier()
    named = dict(network.named_parameters())
    for group in groups_of(network, 1, num_redrawn=1).values():
        assert len(group["names"]) == len(group["params"]) > 0
        assert all(named[name] is parameter for name, parameter in zip(group["names"], group["params"], strict=True))

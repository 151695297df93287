"""Networks of torchvision as Backbones (pytorch.org/vision/stable/models)."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torch.hub import HASH_REGEX

from graft.core.errors import Problem, SpecError
from graft.modalities.image.backbones.sizes import size_problem
from graft.modalities.image.info import IMAGENET_MEAN, IMAGENET_STD, PIXELS, ImageInput
from graft.models.backbone import Backbone, BackboneInfo
from graft.models.deferred_compiler import deferred_compiler
from graft.models.libraries import count_params, did_you_mean
from graft.models.structure.pooling import Pool
from graft.models.weight_files import read_weights
from graft.models.weights.digest import WeightFile

with deferred_compiler():
    from torchvision import models
    from torchvision.models.convnext import CNBlock
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
        try:
            return _without_classifier(models.get_model(architecture, weights=None))
        except NotImplementedError:  # RegNet computes its widths with tensors, which the device `meta` does not do
            device = torch.get_default_device()
            with torch.device("cpu"):
                return _without_classifier(models.get_model(architecture, weights=None)).to(device)

    def wrap(self, network: nn.Module, size: int | None = None) -> Backbone:
        """The same network as a Backbone; a vision transformer's position embedding is resampled to the size."""
        if size is not None and isinstance(network, models.VisionTransformer):
            _resize(network, size)
        return FAMILIES[type(network).__name__](network)

    def size_problem(self, architecture: str, size: int) -> str | None:
        """Why the architecture cannot take images of this side, as one sentence; None if it can."""

        network = _on_meta(architecture)

        def run(side: int) -> None:
            with torch.inference_mode(), torch.device("meta"):
                self.wrap(copy.deepcopy(network), side).eval()(torch.zeros(1, 3, side, side))

        native = models.get_model_weights(architecture).DEFAULT.transforms().crop_size[0]
        return size_problem(f"torchvision:{architecture}", size, native, run)

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
        if problem := self.problem(architecture):
            raise SpecError([Problem("", problem)])
        path = _checkpoint(architecture)
        path.parent.mkdir(parents=True, exist_ok=True)
        url = models.get_model_weights(architecture).DEFAULT.url
        hashed = HASH_REGEX.search(path.name)
        torch.hub.download_url_to_file(url, str(path), hashed and hashed.group(1), progress=False)


def _checkpoint(architecture: str) -> Path:
    url = models.get_model_weights(architecture).DEFAULT.url
    return Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)


def _on_meta(architecture: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return TorchvisionLibrary().create(architecture)


def _without_classifier(network: nn.Module) -> nn.Module:
    path = _CLASSIFIERS.get(type(network).__name__, "classifier")
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Identity())
    return network


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


def _regnet(network: Any) -> Backbone:
    blocks = [block for stage in network.trunk_output for block in stage]
    return Backbone(network.stem, blocks, _average_pool(), blocks[-1].f.c[0].out_channels, PIXELS)


def _convnext(network: Any) -> Backbone:
    stem, *stages = network.features
    norm, flatten, _ = network.get_submodule("classifier")
    neck = nn.Sequential(OrderedDict(avgpool=network.avgpool, norm=norm, flatten=flatten))
    is_stage = [isinstance(stage[0], CNBlock) for stage in stages]
    blocks = _with_downsampling(stages, is_stage)
    return Backbone(stem, [*blocks, neck], nn.Identity(), norm.weight.shape[0], PIXELS, Pool("avg"))


def _swin(network: Any) -> Backbone:
    stem, *stages = network.features
    blocks = _with_downsampling(stages, [isinstance(stage, nn.Sequential) for stage in stages])
    pool = nn.Sequential(network.permute, network.avgpool, network.flatten)
    return Backbone(stem, [*blocks, network.norm], pool, network.norm.normalized_shape[0], PIXELS, width_last=True)


def _with_downsampling(stages: Sequence[Any], is_stage: Sequence[bool]) -> list[nn.Module]:
    """Blocks of stages; what halves the map in front of a stage belongs to its first block."""
    blocks: list[nn.Module] = []
    before: list[nn.Module] = []
    for stage, has_blocks in zip(stages, is_stage, strict=True):
        if not has_blocks:
            before.append(stage)
            continue
        first, *others = stage
        blocks += [nn.Sequential(*before, first) if before else first, *others]
        before = []
    return blocks


def _maxvit(network: Any) -> Backbone:
    blocks = [layer for stage in network.blocks for layer in stage.layers]
    neck: Any = network.get_submodule("classifier")
    return Backbone(network.stem, [*blocks, neck], nn.Identity(), neck[3].out_features, PIXELS, Pool("avg"))


def _vision_transformer(network: Any) -> Backbone:
    blocks = [*network.encoder.layers, nn.Sequential(network.encoder.ln, _ClassToken())]
    # What is left of the network without its layers, norm and head is exactly its stem.
    network.encoder.layers = nn.Sequential()
    network.encoder.ln = nn.Identity()
    return Backbone(_TokenStem(network), blocks, nn.Identity(), network.hidden_dim, PIXELS, _ClassToken())


def _resize(network: Any, size: int) -> None:
    if size % network.patch_size:
        rule = f"but must be a multiple of {network.patch_size}, the patch size of this vision transformer"
        raise SpecError([Problem("", f"resolution is {size}, {rule}")])
    if size == network.image_size:
        return
    given = OrderedDict({"encoder.pos_embedding": network.encoder.pos_embedding.detach()})
    resampled = models.vision_transformer.interpolate_embeddings(size, network.patch_size, given)
    network.encoder.pos_embedding = nn.Parameter(resampled["encoder.pos_embedding"])
    network.image_size = size


class _TokenStem(nn.Module):
    """Patches, class token and position embedding: images [B, 3, R, R] to tokens [B, N, D]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.embed = network

    def forward(self, images: Tensor) -> Tensor:
        patches = self.embed._process_input(images)
        token = self.embed.class_token.expand(len(patches), -1, -1)
        tokens: Tensor = self.embed.encoder(torch.cat([token, patches], dim=1))
        return tokens


class _ClassToken(nn.Module):
    """The class token: tokens [B, N, D] to features [B, D]."""

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = tokens[:, 0]
        return features


def _average_pool() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


_CLASSIFIERS = {
    "ConvNeXt": "classifier.2",
    "MaxVit": "classifier.5",
    "RegNet": "fc",
    "ResNet": "fc",
    "SwinTransformer": "head",
    "VisionTransformer": "heads",
}
FAMILIES: Mapping[str, Callable[[Any], Backbone]] = {
    "ConvNeXt": _convnext,
    "EfficientNet": _staged,
    "MobileNetV2": _sequential,
    "MobileNetV3": _sequential,
    "MaxVit": _maxvit,
    "RegNet": _regnet,
    "ResNet": _resnet,
    "SwinTransformer": _swin,
    "VisionTransformer": _vision_transformer,
}

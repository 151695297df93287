"""Networks of timm as Backbones (github.com/huggingface/pytorch-image-models)."""

import copy
import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.modalities.image.backbones.ordered import Parts, parts_of
from graft.modalities.image.backbones.sizes import reason_of_size, size_problem
from graft.modalities.image.info import PIXELS, ImageInput
from graft.models.backbone import Backbone, BackboneInfo
from graft.models.deferred_compiler import deferred_compiler
from graft.models.libraries import count_params, did_you_mean
from graft.models.structure.meta_device import WithoutValues
from graft.models.structure.pooling import Pool
from graft.models.weights.digest import WeightFile
from graft.models.weights.hub import fetched, kept

with deferred_compiler():
    import timm
    from timm.layers import global_pool_nlc
    from timm.models._hub import HASH_REGEX, get_cache_dir, hf_split

_PROOF_SIZE = 64


class TimmLibrary:
    """Architectures of `FAMILIES`, and all whose blocks are a chain, which is proven by running them once."""

    def problem(self, architecture: str) -> str | None:
        """Why the architecture cannot be used, as one sentence; None if it can."""
        return _problem(architecture)

    def create(self, architecture: str) -> nn.Module:
        """The library's own network: native resolution, random weights, forward gives pooled features."""
        network: nn.Module = timm.create_model(architecture, pretrained=False, num_classes=0)
        return network

    def wrap(self, network: nn.Module, size: int | None = None) -> Backbone:
        """The same network as a Backbone; takes the network's modules over, so use it no more."""
        try:
            return _wrapped(network, size)
        except (AssertionError, ValueError, RuntimeError, ZeroDivisionError) as error:
            name, reason = network.pretrained_cfg["architecture"], reason_of_size(error)  # type: ignore[index]
            told = f"resolution is {size}, which timm:{name} cannot take ({reason})"
            raise SpecError([Problem("", told)]) from error

    def size_problem(self, architecture: str, size: int) -> str | None:
        """Why the architecture cannot take images of this side, as one sentence; None if it can."""
        return _size_problem(architecture, size)

    def describe(self, architecture: str) -> BackboneInfo:
        """What is known about it, without its weights and without their memory."""
        return _described(architecture)

    def sample(self, architecture: str, size: int | None = None) -> Mapping[str, Tensor]:
        """A black image."""
        side = _described(architecture).input.native_resolution if size is None else size
        return {PIXELS: torch.zeros(1, 3, side, side)}

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        """The file that `fetch` has left in the cache of the hub, or of torch."""
        found = _kept(architecture)
        return () if found is None else (found,)

    def read(self, architecture: str) -> dict[str, Tensor]:
        """The pretrained weights from that file, under the names `create` uses.

        timm itself reads the file, with ``weights_only=True`` or as safetensors, because only timm knows how to convert
        the checkpoints it did not train.
        """
        (file,) = self.files(architecture)
        config = timm.get_pretrained_cfg(architecture)
        overlay = {"file": str(file.path), "custom_load": config.custom_load}
        network = timm.create_model(architecture, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
        state: dict[str, Tensor] = network.state_dict()
        return state

    def fetch(self, architecture: str) -> None:
        """Download the file from timm's hub."""
        if problem := self.problem(architecture):
            raise SpecError([Problem("", problem)])
        config = timm.get_pretrained_cfg(architecture)
        if config.hf_hub_id:
            repository, revision = hf_split(config.hf_hub_id)
            fetched(repository, _hub_names(config), revision)
        elif config.url:
            path, digest, url = _checkpoint(config.url)
            torch.hub.download_url_to_file(url, str(path), digest or None, progress=False)
        else:
            raise ArtifactError(f"timm has no weights for `{architecture}`{_tags(architecture)}")


@functools.cache
def _problem(architecture: str) -> str | None:
    """Asked once: a plan wants to know a thousand times."""
    if not timm.is_model(architecture):
        base = architecture.split(".")[0]
        return f"timm has no architecture `{architecture}`{did_you_mean(base, timm.list_models())}"
    try:
        network = _on_meta(architecture)
    except RuntimeError as error:
        return f"timm cannot build `{architecture}`: {error}"
    return _family_problem(network, architecture)


@functools.cache
def _described(architecture: str) -> BackboneInfo:
    network = _on_meta(architecture)
    config = network.pretrained_cfg
    backbone = _wrapped(network, None)
    return BackboneInfo(
        name=f"timm:{architecture}",
        architecture=f"timm/{architecture}",
        modality="image",
        num_blocks=len(backbone.blocks),
        num_features=backbone.num_features,
        num_params=count_params(backbone),
        input=ImageInput(
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            interpolation="bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
            native_resolution=config["input_size"][-1],
        ),
        licence=config.get("license"),
    )


def _kept(architecture: str) -> WeightFile | None:
    config = timm.get_pretrained_cfg(architecture)
    if config.hf_hub_id:
        repository, revision = hf_split(config.hf_hub_id)
        return kept(repository, _hub_names(config), revision)
    if not config.url:
        return None
    path, digest, _ = _checkpoint(config.url)
    return WeightFile(path, digest) if path.is_file() else None


def _checkpoint(source: str | tuple[str, str]) -> tuple[Path, str, str]:
    """Where timm keeps the file of an address, how its digest begins as its name says, and the address."""
    url, name = source if isinstance(source, tuple) else (source, Path(urlparse(source).path).name)
    hashed = HASH_REGEX.search(name)
    return Path(get_cache_dir(), name), hashed.group(1) if hashed else "", url


def _hub_names(config: Any) -> tuple[str, ...]:
    """Files of a repository that may hold the weights, safetensors first."""
    if config.hf_hub_filename:
        return (config.hf_hub_filename,)
    return ("model.safetensors", "pytorch_model.bin")


def _tags(architecture: str) -> str:
    known = timm.list_pretrained(f"{architecture.split('.')[0]}.*")
    return f"; those with weights are {', '.join(known)}" if known else "; choose another architecture"


def _on_meta(architecture: str) -> Any:
    with torch.device("meta"), WithoutValues():
        return timm.create_model(architecture, pretrained=False, num_classes=0)


def _family_problem(network: Any, architecture: str) -> str | None:
    if getattr(network, "attn_pool", None) is not None:
        return f"timm architecture `{architecture}` pools by attention, which is not supported; choose another"
    family = type(network).__name__
    if family not in FAMILIES and _parts(network.pretrained_cfg["architecture"]) is None:
        known = ", ".join(sorted(FAMILIES))
        return (
            f"timm architecture `{architecture}` is a {family}, which is no chain of blocks, each taking what the one "
            f"before it gives, so it cannot be cut; choose another family, such as {known} or ConvNeXt"
        )
    return None


def _wrapped(network: Any, size: int | None) -> Backbone:
    family = FAMILIES.get(type(network).__name__)
    if size is not None and hasattr(network, "set_input_size"):
        _resize(network, size)
    if family is not None:
        return family(network)
    parts = _parts(network.pretrained_cfg["architecture"])
    assert parts is not None, "`problem` has said so"
    return parts.backbone(network, PIXELS)


def _resize(network: Any, size: int) -> None:
    """Positions and windows for another size; weights of positions are resampled. Raises what timm raises."""
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", (1,))[0]
    if size % patch:
        raise ValueError(f"must be a multiple of {patch}, the size of its patches")
    network.set_input_size(img_size=(size, size))


@functools.cache
def _parts(architecture: str) -> Parts | None:
    """Proven with small images, where the network takes some: what is a chain at one size is a chain at all."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        for size in (_PROOF_SIZE, None):
            network = timm.create_model(architecture, pretrained=False, num_classes=0)
            side = size or network.pretrained_cfg["input_size"][-1]
            try:
                if size is not None and hasattr(network, "set_input_size"):
                    network.set_input_size(img_size=(side, side))
                return parts_of(network, torch.rand(2, 3, side, side))
            except (AssertionError, ValueError, RuntimeError, ZeroDivisionError):
                continue  # not at this size
    return None


@functools.cache
def _size_problem(architecture: str, size: int) -> str | None:
    network = _on_meta(architecture)

    def run(side: int) -> None:
        with torch.inference_mode(), torch.device("meta"):
            _wrapped(copy.deepcopy(network), side).eval()(torch.zeros(1, 3, side, side))

    native = timm.get_pretrained_cfg(architecture).input_size[-1]
    return size_problem(f"timm:{architecture}", size, native, run)


def _efficientnet(network: Any) -> Backbone:
    neck = nn.Sequential(OrderedDict(conv_head=network.conv_head, bn2=network.bn2))
    blocks = [block for stage in network.blocks for block in stage]
    return Backbone(_conv_stem(network), [*blocks, neck], network.global_pool, network.num_features, PIXELS)


def _mobilenetv3(network: Any) -> Backbone:
    # This family pools first and widens afterwards: the pooling has to move into the last block.
    names = ("global_pool", "conv_head", "norm_head", "act2")
    neck = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in names))
    blocks = [block for stage in network.blocks for block in stage]
    flat = nn.Flatten(1)
    return Backbone(_conv_stem(network), [*blocks, neck], flat, network.head_hidden_size, PIXELS, Pool("avg"))


def _conv_stem(network: Any) -> nn.Module:
    return nn.Sequential(OrderedDict(conv_stem=network.conv_stem, bn1=network.bn1))


def _resnet(network: Any) -> Backbone:
    stem = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in ("conv1", "bn1", "act1", "maxpool")))
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    return Backbone(
        stem, [block for stage in stages for block in stage], network.global_pool, network.num_features, PIXELS
    )


def _vision_transformer(network: Any) -> Backbone:
    is_distilled = hasattr(network, "head_dist")
    neck = _DistilledNeck(network) if is_distilled else _TokenNeck(network)
    blocks = [*network.blocks, neck]
    num_features = network.num_features
    # What is left of the network without its blocks, norms and heads is exactly its stem.
    network.blocks = nn.Sequential()
    network.norm = network.fc_norm = network.head_drop = network.head = nn.Identity()
    if is_distilled:
        network.head_dist = nn.Identity()
    return Backbone(_TokenStem(network), blocks, nn.Identity(), num_features, PIXELS, neck.pool)


class _TokenStem(nn.Module):
    """Patches, class token and position embedding: images [B, 3, H, W] to tokens [B, N, D]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.embed = network

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.embed.forward_features(images)
        return tokens


class _TokenPool(nn.Module):
    """Pooling over tokens [B, N, D] to [B, D], as the network does it behind its norm."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self._pooling = {
            "pool_type": network.global_pool,
            "num_prefix_tokens": network.num_prefix_tokens,
            "reduce_include_prefix": network.pool_include_prefix,
        }

    def forward(self, tokens: Tensor) -> Tensor:
        pooled: Tensor = global_pool_nlc(tokens, **self._pooling)
        return pooled


class _TokenNeck(nn.Module):
    """Norm, pooling over tokens, norm: tokens [B, N, D] to features [B, D]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.norm = network.norm
        self.fc_norm = network.fc_norm
        self.pool = _TokenPool(network)

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.fc_norm(self.pool(self.norm(tokens)))
        return features


class _TwoTokens(nn.Module):
    """The mean of the class token and the distillation token, as DeiT is used after its training."""

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = (tokens[:, 0] + tokens[:, 1]) / 2
        return features


class _DistilledNeck(nn.Module):
    """Norm, then both tokens: tokens [B, N, D] to features [B, D]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.norm = network.norm
        self.pool = _TwoTokens()

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.pool(self.norm(tokens))
        return features


FAMILIES: Mapping[str, Callable[[Any], Backbone]] = {
    "EfficientNet": _efficientnet,
    "MobileNetV3": _mobilenetv3,
    "ResNet": _resnet,
    "VisionTransformer": _vision_transformer,
    "VisionTransformerDistilled": _vision_transformer,
}

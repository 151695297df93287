"""The map of a meta-model in front of a head: `init: {kind: meta, source: …}`."""

import functools
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.data.feature_store.key import weights_digest
from graft.episodes.adapters.inner_loop import BIAS, WEIGHT, Weights
from graft.episodes.meta_model import MetaModel, MetaModelSpec, read_meta_model
from graft.episodes.starts.protocol import Start
from graft.models.backbone import Backbone
from graft.models.feature_scaling import FeatureMapping
from graft.spec.components.initialisation import MetaLearned
from graft.spec.meta.starts import MapStart
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy

_MEAN, _LAYERS = "centring.mean", "map."


def fill_mapping(head: nn.Module, init: MetaLearned, backbone: Backbone, preprocessing: Preprocessing) -> None:
    """Put the weights of a meta-model into the map in front of a head, in place.

    Raises:
        SpecError: it was learned on the features of another backbone, or of samples that were prepared otherwise.
        ArtifactError: it is damaged, or another one than when the job began.
    """
    model = open_meta_model(init)
    if told := misfit(model, backbone, preprocessing):
        raise SpecError([Problem("strategy.init.source", told)])
    mapping = head[0]  # type: ignore[index]
    assert isinstance(mapping, FeatureMapping), "head_of puts it there where the strategy has one"
    mapping.load_state_dict(mapping_state(model))


def open_meta_model(init: MetaLearned) -> MetaModel:
    """The meta-model of a settled job; kept, because a process builds many networks with it.

    Raises:
        ArtifactError: it is gone, damaged, or another one than when the job began.
    """
    return _opened(init.source, init.digest)


def misfit(model: MetaModel, backbone: Backbone, preprocessing: Preprocessing) -> str | None:
    """Why a meta-model cannot be used on a backbone that is given samples so, as one sentence; None if it can."""
    return misfit_of_features(model.spec, _digest_of(backbone), preprocessing)


def misfit_of_features(spec: MetaModelSpec, backbone_digest: str, preprocessing: Preprocessing) -> str | None:
    """Why a meta-model cannot be used on some features, as one sentence; None if it can.

    Args:
        spec: of the meta-model.
        backbone_digest: of the backbone that makes the features.
        preprocessing: of the samples that it is given.
    """
    return _other_backbone(spec, backbone_digest) or _otherwise_prepared(spec, preprocessing)


def _other_backbone(spec: MetaModelSpec, digest: str) -> str | None:
    if spec.backbone_digest == digest:
        return None
    return (
        f"meta-model {spec.name} was learned on features of {spec.backbone} with other weights or blocks than the "
        f"backbone has; set strategy.backbone to {spec.backbone} as it was pretrained, or meta-train on this one"
    )


def _otherwise_prepared(spec: MetaModelSpec, preprocessing: Preprocessing) -> str | None:
    """By all but what is of the source: a backbone sees no column's name."""
    fields = type(preprocessing).model_fields.items()
    usual = {name: field.get_default() for name, field in fields if not field.is_required()}
    learned, given = ({**usual, **some} for some in (spec.preprocessing, preprocessing.model_dump(mode="json")))
    known = {**given, **learned}.keys() - preprocessing.of_source
    differing = sorted(name for name in known if learned.get(name) != given.get(name))
    if not differing:
        return None
    # What a job can say is told first.
    name = min(differing, key=lambda one: one not in Strategy.model_fields)
    return (
        f"meta-model {spec.name} was learned with {name} {learned.get(name)}, but the samples are prepared with "
        f"{given.get(name)}; give both the same, or meta-train anew"
    )


def mapping_state(model: MetaModel) -> dict[str, Tensor]:
    """The tensors of `FeatureMapping`.

    Raises:
        SpecError: the meta-model has no map on features.
    """
    if not isinstance(model.spec.start, MapStart):
        told = f"is meta-model {model.spec.name}, whose start is {model.spec.start.kind}, but it must be map"
        raise SpecError([Problem("strategy.init.source", f"{told}; meta-train one with `start: map`")])
    return _as_mapping({name.removeprefix("start."): one for name, one in model.weights().items()})


def fill_adapted(head: nn.Sequential, start: Start, weights: Weights) -> None:
    """Put what an adapter has made of a map, and the head of its task, into a linear head behind a map, in place.

    Args:
        head: as `graft.models.network.head_of` builds it for a strategy with such a map and head linear.
        start: that was adapted.
        weights: of the task (`graft.episodes.adapters.by_gradient.ByGradient.adapted`).
    """
    mapping, inner = head
    assert isinstance(inner, nn.Sequential), "a linear head is one"
    mapping.load_state_dict(_as_mapping({**start.state_dict(), **weights}))
    inner[-1].load_state_dict({"weight": weights[WEIGHT], "bias": weights[BIAS]})


def _as_mapping(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `FeatureMapping`, of those of a `FeatureMap`."""
    layers = [one for name, one in sorted(weights.items()) if name.startswith(_LAYERS)]
    return {"mean": weights[_MEAN]} | dict(zip(("first", "second"), layers, strict=False))


def require_meta_digest(model: MetaModel, digest: str) -> None:
    """Refuse a meta-model that has changed since a job was begun.

    Raises:
        ArtifactError: it has.
    """
    if digest and model.digest != digest:
        raise ArtifactError(
            f"meta-model {model.directory} has digest {model.digest[:12]}…, but had {digest[:12]}… when the experiment "
            "began; put it back, or start a new one with `graft run`"
        )


@functools.lru_cache(maxsize=4)
def _opened(source: str, digest: str) -> MetaModel:
    model = read_meta_model(Path(source))
    require_meta_digest(model, digest)
    return model


@torch.no_grad()
def _digest_of(backbone: Backbone) -> str:
    return weights_digest([backbone.stem, *backbone.blocks])

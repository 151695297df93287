"""The head that a backbone was pretrained with, where its file of weights holds one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from graft.core.errors import ArtifactError
from graft.models.load import describe_backbone
from graft.models.zoo import find_entry

if TYPE_CHECKING:
    from torch import Tensor, nn

_HEAD = re.compile(r"(classifier|_fc|fc|head|heads|last_linear)(\.[\w.]+)?\.weight")


def source_head(name: str) -> nn.Linear:
    """The one linear layer behind the pooled features of a pretrained network.

    Args:
        name: of the backbone.

    Raises:
        SpecError: there is no such backbone.
        ArtifactError: the weights hold no such layer, or cannot be had.
    """
    from torch import nn

    weights = find_entry(name).weights.state_dict()
    weight, bias = _layer(weights, name, describe_backbone(name).num_features)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    return layer


def source_head_problem(name: str) -> str | None:
    """Why a backbone's own head cannot be had, as one sentence; None if it can, or if its weights are not here.

    Weights are read where nothing else tells what they hold; none are fetched.

    Raises:
        SpecError: there is no such backbone.
    """
    stated = describe_backbone(name).source_head
    if stated is False:
        return _lacking(name, "no head", describe_backbone(name).num_features)
    if stated or find_entry(name).weights.problem():
        return None
    try:
        source_head(name)
    except ArtifactError as error:
        return str(error)
    return None


def _layer(weights: Mapping[str, Tensor], name: str, num_features: int) -> tuple[Tensor, Tensor | None]:
    found = [key for key, value in weights.items() if _HEAD.fullmatch(key) and value.ndim == 2]
    if len(found) != 1 or weights[found[0]].shape[1] != num_features:
        held = "no head" if not found else f"a head of several layers ({', '.join(found)})" if found[1:] else found[0]
        raise ArtifactError(_lacking(name, held, num_features))
    return weights[found[0]].float(), weights.get(found[0].removesuffix("weight") + "bias")


def _lacking(name: str, held: str, num_features: int) -> str:
    return (
        f"backbone `{name}` comes with {held}, but this penalty needs one linear layer over its {num_features} "
        "features; take another penalty, or a backbone such as `efficientnet_lite0`"
    )

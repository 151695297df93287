"""Whether a tokenizer can mask. No torch here: `graft validate` asks."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from graft.core.errors import ArtifactError, Problem
from graft.modalities.text.info import TextInput
from graft.modalities.text.tokenizer import backbone_tokenizer
from graft.models.load import describe_backbone
from graft.models.zoo import has_backbone
from graft.spec.modalities.text import WordAugmentation
from graft.spec.registry import members
from graft.spec.space.space import StrategySpace

_MASK = re.compile(r"[^a-z0-9]*mask[^a-z0-9]*", re.IGNORECASE)
"""What the tokens that masked language models are trained with are called: ``[MASK]``, ``<mask>``."""


def mask_token_of(told: Mapping[str, Any]) -> int | None:
    """The number of the special token that masks; None if the tokenizer has none.

    Args:
        told: what its ``tokenizer.json`` holds.
    """
    special = (one for one in told.get("added_tokens", ()) if one.get("special"))
    return next((int(one["id"]) for one in special if _MASK.fullmatch(one["content"])), None)


def no_mask_token(kind: str, backbone: str) -> Problem:
    """What is said of an augmentation that masks, with a tokenizer that cannot."""
    told = f"is {kind}, but the tokenizer of backbone `{backbone}` has no token that masks"
    return Problem("strategy.augment", f"{told}; take word_dropout or word_swap")


def masking_problems(space: StrategySpace) -> Iterator[Problem]:
    """Backbones of a space that cannot mask, where it masks; one that cannot be had is told by others."""
    kinds = [kind for kind in space.values("augment") if _masks(kind)]
    if not kinds:
        return
    for name in sorted(str(value) for value in space.values("backbone")):
        if has_backbone(name) and not _can_mask(name):
            yield no_mask_token(str(kinds[0]), name)


def _masks(kind: Any) -> bool:
    spec = members("augmentation").get(kind)
    return spec is not None and issubclass(spec, WordAugmentation) and spec.needs_mask_token


def _can_mask(backbone: str) -> bool:
    given = describe_backbone(backbone).input
    if not isinstance(given, TextInput):
        return True
    try:
        return mask_token_of(json.loads(backbone_tokenizer(given, backbone))) is not None
    except (ArtifactError, ValueError):
        return True

"""The rules that are known, and how the right one for a file of unknown origin is chosen.

Every rule lets a file bring a classifier, because a Backbone has none, and lack batch norm's step counter, which no
forward pass reads. Nothing else may be missing or left over.
"""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable

from graft.core.errors import ArtifactError
from graft.core.registry import Registry
from graft.models.weight_mapping import MappingRule, StateDict, is_allowed

RULES = Registry(
    "mapping",
    {
        "identity": "graft.models.mapping_rules:IDENTITY",
        "efficientnet_pytorch": "graft.models.mapping_rules:EFFICIENTNET_PYTORCH",
        "mobilenetv2_tonylins": "graft.models.mapping_rules:MOBILENETV2_TONYLINS",
        "by_order": "graft.models.mapping_rules:BY_ORDER",
    },
)

_COUNTER = (r"(^|\.)num_batches_tracked$",)
_CLASSIFIER = (r"^(classifier|_fc|fc|head|heads|last_linear)\.",)

_EFFICIENTNET_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_WITH_EXPANSION = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# A block that does not expand has no first convolution: timm numbers what is left from one again.
_WITHOUT_EXPANSION = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_TONYLINS_FIRST = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
_TONYLINS_LATER = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}


def choose_rule(source: StateDict, target: StateDict) -> MappingRule:
    """The naming rule that explains most of the network's keys; by shape and order when none explains half of them.

    A file of somebody's training holds the network as a part of something: its names stand behind a prefix.
    """

    def explained(rule: MappingRule) -> int:
        return len(set(rule.pair(source, target).values()) & target.keys())

    prefix = prefix_before(source, target)
    behind = (_behind(prefix),) if prefix else ()
    best = max((IDENTITY, EFFICIENTNET_PYTORCH, MOBILENETV2_TONYLINS, *behind), key=explained)
    return best if 2 * explained(best) >= len(target) else BY_ORDER


def prefix_before(source: Iterable[str], target: Container[str]) -> str:
    """What stands before most of the names that a file shares with a network, its last dot included.

    Empty if nothing does, or if the file holds the network twice.
    """
    found = Counter(
        name[: dot.end()] for name in source for dot in re.finditer(r"\.", name) if name[dot.end() :] in target
    )
    (prefix, most), (_, next_most) = (*found.most_common(2), ("", 0), ("", 0))[:2]
    return prefix if most > next_most else ""


def _behind(prefix: str) -> MappingRule:
    """The network's own names behind a prefix; what stands elsewhere in the file is no part of the network."""

    def pair(source: StateDict, target: StateDict) -> dict[str, str]:
        return {key: name for key in source if key.startswith(prefix) and (name := key.removeprefix(prefix)) in target}

    start = re.escape(prefix)
    beside = (rf"^(?!{start})", *(rf"^{start}{one.removeprefix('^')}" for one in _CLASSIFIER))
    return MappingRule(f"names behind {prefix}", pair, _COUNTER, beside)


def _identity(source: StateDict, target: StateDict) -> dict[str, str]:
    return {key: key for key in source if key in target}


def _efficientnet_pytorch(source: StateDict, target: StateDict) -> dict[str, str]:
    """Flat ``_blocks.7._bn1`` of EfficientNet-PyTorch (and -Lite) to timm's staged ``blocks.3.1.bn2``."""
    staged = {(int(m[1]), int(m[2])) for key in target if (m := re.match(r"blocks\.(\d+)\.(\d+)\.", key))}
    flat = sorted(staged)
    expanding = {m[1] for key in source if (m := re.match(r"_blocks\.(\d+)\._expand_conv\.", key))}

    def rename(key: str) -> str | None:
        block = re.match(r"_blocks\.(\d+)\.([^.]+)\.(.+)$", key)
        if block is None:
            layer, _, leaf = key.partition(".")
            return f"{_EFFICIENTNET_TOP[layer]}.{leaf}" if layer in _EFFICIENTNET_TOP else None
        names = _WITH_EXPANSION if block[1] in expanding else _WITHOUT_EXPANSION
        if int(block[1]) >= len(flat) or block[2] not in names:
            return None
        stage, index = flat[int(block[1])]
        return f"blocks.{stage}.{index}.{names[block[2]]}.{block[3]}"

    return _renamed(source, rename)


def _mobilenetv2_tonylins(source: StateDict, target: StateDict) -> dict[str, str]:
    """MobileNetV2 of github.com/tonylins/pytorch-mobilenet-v2 (one flat list a block) to torchvision's nested one."""

    def rename(key: str) -> str | None:
        block = re.match(r"features\.(\d+)\.conv\.(\d+)\.(.+)$", key)
        if block is None:
            return key
        names = _TONYLINS_FIRST if block[1] == "1" else _TONYLINS_LATER
        return f"features.{block[1]}.conv.{names[block[2]]}.{block[3]}" if block[2] in names else None

    return _renamed(source, rename)


def _by_order(source: StateDict, target: StateDict) -> dict[str, str]:
    """First to first, second to second: the same network written by somebody else. Shapes are checked afterwards."""
    theirs = [key for key in source if not is_allowed(key, (*_COUNTER, *_CLASSIFIER))]
    ours = [key for key in target if not is_allowed(key, _COUNTER)]
    if len(theirs) != len(ours):
        raise ArtifactError(
            f"weights have other names than the architecture and {len(theirs)} tensors, but it has {len(ours)}; "
            "name the architecture they belong to"
        )
    return dict(zip(theirs, ours, strict=True))


def _renamed(source: StateDict, rename: Callable[[str], str | None]) -> dict[str, str]:
    return {key: name for key in source if (name := rename(key)) is not None}


IDENTITY = MappingRule("identity", _identity, may_miss=_COUNTER, may_exceed=_CLASSIFIER)
EFFICIENTNET_PYTORCH = MappingRule("efficientnet_pytorch", _efficientnet_pytorch, _COUNTER, _CLASSIFIER)
MOBILENETV2_TONYLINS = MappingRule("mobilenetv2_tonylins", _mobilenetv2_tonylins, _COUNTER, _CLASSIFIER)
BY_ORDER = MappingRule("by_order", _by_order, may_miss=_COUNTER, may_exceed=(*_CLASSIFIER, *_COUNTER))

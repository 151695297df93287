"""Weights under one set of names, brought to another: strictly, and with a report of every key."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from graft.core.errors import ArtifactError

StateDict = Mapping[str, Tensor]
_NAMED_IN_ERRORS = 4


@dataclass(frozen=True)
class MappingRule:
    """How the keys of a weights file find the keys of a network.

    Attributes:
        name: how reports call it.
        pair: from (source, target) to {source key: target key}; a key it does not know is left out.
        may_miss: regular expressions of target keys that a file may lack; they keep the network's own value.
        may_exceed: regular expressions of source keys that may be dropped.
    """

    name: str
    pair: Callable[[StateDict, StateDict], dict[str, str]]
    may_miss: tuple[str, ...] = ()
    may_exceed: tuple[str, ...] = ()


@dataclass(frozen=True)
class MappingReport:
    """What happened to every key.

    Attributes:
        rule: name of the rule that was applied.
        matched: target keys that were filled as they are.
        missing: target keys that the file lacks (each allowed by the rule).
        unexpected: source keys that were dropped (each allowed by the rule).
        reshaped: target keys filled after adding or dropping trailing dimensions of size 1.
    """

    rule: str
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{len(self.matched)} matched"]
        for what in ("missing", "unexpected", "reshaped"):
            keys: tuple[str, ...] = getattr(self, what)
            parts.append(f"{len(keys)} {what}" + (f" ({_some(keys)})" if keys else ""))
        return f"{self.rule}: {', '.join(parts)}"


def map_state_dict(source: StateDict, target: StateDict, rule: MappingRule) -> tuple[dict[str, Tensor], MappingReport]:
    """Give the tensors of `source` the names, shapes and dtypes of `target`.

    Args:
        source: what a weights file holds.
        target: state dict of the network that is to be filled.
        rule: which source key fills which target key, and which may be left over.

    Returns:
        A state dict with exactly the keys of `target`, and the report.

    Raises:
        ArtifactError: a shape does not fit, or a key is missing or left over that the rule does not allow to be.
    """
    pairs = {key: name for key, name in rule.pair(source, target).items() if name in target}
    mapped: dict[str, Tensor] = {}
    reshaped: list[str] = []
    misfits: list[str] = []
    for key, name in pairs.items():
        tensor, wanted = source[key], target[name]
        if not _fits(tensor, wanted):
            misfits.append(f"{key} is {_shape(tensor)}, but {name} must be {_shape(wanted)}")
            continue
        if tensor.shape != wanted.shape:
            reshaped.append(name)
        mapped[name] = tensor.reshape(wanted.shape).to(wanted.dtype)
    used = set(pairs.values())
    missing = [name for name in target if name not in used]
    unexpected = [key for key in source if key not in pairs]
    _raise_if_wrong(misfits, _not_allowed(missing, rule.may_miss), _not_allowed(unexpected, rule.may_exceed))
    mapped.update({name: target[name] for name in missing})
    matched = tuple(name for name in target if name in used and name not in reshaped)
    return mapped, MappingReport(rule.name, matched, tuple(missing), tuple(unexpected), tuple(reshaped))


def is_allowed(key: str, patterns: Iterable[str]) -> bool:
    """Whether any of the regular expressions is found in the key."""
    return any(re.search(pattern, key) for pattern in patterns)


def _not_allowed(keys: Iterable[str], patterns: Sequence[str]) -> list[str]:
    return [key for key in keys if not is_allowed(key, patterns)]


def _fits(tensor: Tensor, wanted: Tensor) -> bool:
    """Equal shapes but for trailing ones: a linear layer [O, I] is a 1×1 convolution [O, I, 1, 1]."""
    return _without_trailing_ones(tensor) == _without_trailing_ones(wanted)


def _without_trailing_ones(tensor: Tensor) -> list[int]:
    shape = list(tensor.shape)
    while shape and shape[-1] == 1:
        shape.pop()
    return shape


def _raise_if_wrong(misfits: Sequence[str], missing: Sequence[str], unexpected: Sequence[str]) -> None:
    problems = []
    if misfits:
        problems.append(f"{_tensors(misfits)} of another shape: {_some(misfits, '; ')}")
    if missing:
        problems.append(f"{_tensors(missing)} of the network not in the file: {_some(missing)}")
    if unexpected:
        problems.append(f"{_tensors(unexpected)} of the file unknown to the network: {_some(unexpected)}")
    if problems:
        raise ArtifactError(f"weights do not fit the architecture ({'; '.join(problems)}); name the one they belong to")


def _tensors(keys: Sequence[str]) -> str:
    return f"{len(keys)} tensor" + ("" if len(keys) == 1 else "s")


def _some(keys: Sequence[str], separator: str = ", ") -> str:
    more = len(keys) - _NAMED_IN_ERRORS
    return separator.join(keys[:_NAMED_IN_ERRORS]) + (f"{separator}… {more} more" if more > 0 else "")


def _shape(tensor: Tensor) -> str:
    return "×".join(str(size) for size in tensor.shape) or "a single number"

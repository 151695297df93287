"""Which tensor of one network fills which of another: by name, by a known renaming, or by structure and order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import starmap

import numpy as np
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.models.mapping.axes import Axes
from graft.models.mapping.reshaping import fit_of
from graft.models.mapping.weights import COUNTER, Weights, is_scale, leaf_of
from graft.models.mapping_rules import EFFICIENTNET_PYTORCH, MOBILENETV2_TONYLINS, prefix_before

# Beside the quality of the fit of two tensors, which is at most 1: for equal last parts of their names, and against a
# change of order.
_SAME_NAME, _ORDER = 0.2, 0.1
_IMPOSSIBLE = -1e6
# Share of the source that names alone must explain; how much more the structure must explain to be believed instead.
_SURE, _CLEARLY = 0.999, 1.01
# Below this a tensor is resampled or grown, which makes sense for whole units only.
_AS_IT_IS = 0.9
# What batch norm counts and measures has names that every library keeps.
_FIXED_LEAVES = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Pairing:
    """Source names by target names.

    Attributes:
        rule: how they were found.
        pairs: {target name: source name}; each source is used once at most.
        score: parameters of the source that are used, those that are reshaped counting less.
    """

    rule: str
    pairs: Mapping[str, str]
    score: float


def choose_pairing(source: Weights, target: Weights, axes: Mapping[str, Axes]) -> Pairing:
    """The pairing that uses most of the source; the surer rule where two use about as much.

    Of the source, not of the target: in a deeper target the blocks that the source lacks are best left to growth, while
    whatever fills them too takes weights away from where they belong.

    Args:
        source: the weights there are.
        target: the network to be filled.
        axes: of the target (`axes_of`).
    """
    rules: dict[str, Callable[[Weights, Weights], dict[str, str]]] = {
        "names": _by_name,
        "names of the library": _by_own_name,
        "names behind a prefix": _behind_prefix,
        "efficientnet_pytorch": lambda one, other: _renamed(one, other, EFFICIENTNET_PYTORCH.pair),
        "mobilenetv2_tonylins": lambda one, other: _renamed(one, other, MOBILENETV2_TONYLINS.pair),
    }
    named = [_sound(rule, pair(source, target), source, target, axes) for rule, pair in rules.items()]
    best = max(named, key=lambda one: one.score)
    if best.score >= _SURE * sum(tensor.numel() for tensor in source.state.values()):
        return best
    structural = _sound("structure and order", _by_structure(source, target, axes), source, target, axes)
    return structural if structural.score > _CLEARLY * best.score else best


def _sound(rule: str, pairs: Mapping[str, str], source: Weights, target: Weights, axes: Mapping[str, Axes]) -> Pairing:
    """A pairing without the pairs whose shapes do not fit.

    What has grown beside matrices that are missing would compute nothing: in a unit that the source fills in part, what
    fits as it is stays.
    """
    fits = {
        name: fit_of(target.own_names.get(name, name), source.state[key], target.state[name], axes.get(name, ()))
        for name, key in pairs.items()
    }
    kept = {}
    for names in target.units():
        lacks = any(target.state[name].ndim > 1 and not fits.get(name) and not is_scale(name) for name in names)
        for name in names:
            fit = fits.get(name)
            if fit is not None and not (lacks and fit.quality < _AS_IT_IS):
                kept[name] = pairs[name]
    score = sum(source.state[key].numel() * fit.quality for name, key in kept.items() if (fit := fits[name]))
    return Pairing(rule, kept, score)


def _by_name(source: Weights, target: Weights) -> dict[str, str]:
    return {name: name for name in source.state if name in target.state}


def _by_own_name(source: Weights, target: Weights) -> dict[str, str]:
    theirs = source.by_own_name()
    return {name: theirs[own] for own, name in target.by_own_name().items() if own in theirs}


def _behind_prefix(source: Weights, target: Weights) -> dict[str, str]:
    """Names in a file of which the network is a part: ``encoder.layer1.0.conv1.weight``."""
    ours = {**{name: name for name in target.state}, **target.by_own_name()}
    prefix = prefix_before(source.state, ours)
    return {name: key for own, name in ours.items() if (key := prefix + own) in source.state} if prefix else {}


def _renamed(
    source: Weights,
    target: Weights,
    pair: Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Mapping[str, str]],
) -> dict[str, str]:
    theirs, ours = source.by_own_name(), target.by_own_name()
    try:
        found = pair(
            {own: source.state[name] for own, name in theirs.items()},
            {own: target.state[name] for own, name in ours.items()},
        )
    except (ArtifactError, KeyError):  # names that only look like those of the rule
        return {}
    return {ours[own]: theirs[key] for key, own in found.items() if own in ours}


def _by_structure(source: Weights, target: Weights, axes: Mapping[str, Axes]) -> dict[str, str]:
    """Units of both networks in step (`_aligned`), and within two units each tensor with its best match.

    The assignment within a unit maximises fit, equal last names, and order (`scipy.optimize.linear_sum_assignment`).
    """
    theirs, ours = source.units(), target.units()
    matched: dict[tuple[object, object], tuple[float, list[tuple[int, int]]]] = {}

    def assigned(mine: list[str], other: list[str]) -> tuple[float, list[tuple[int, int]]]:
        key = _signature(target, mine), _signature(source, other)
        if key not in matched:
            matched[key] = _assigned(target, mine, source, other, axes)
        return matched[key]

    pairs: dict[str, str] = {}
    if len(ours) == len(theirs) and all(starmap(partial(_are_alike, target, source), zip(ours, theirs, strict=True))):
        # Unit for unit the same layers: a wider network, in which shapes alone would find other neighbours.
        return {
            name: key for mine, other in zip(ours, theirs, strict=True) for name, key in zip(mine, other, strict=True)
        }
    scores = np.array([[assigned(mine, other)[0] for other in theirs] for mine in ours])
    for row, column in _aligned(scores):
        mine, other = ours[row], theirs[column]
        pairs |= {mine[i]: other[j] for i, j in assigned(mine, other)[1]}
    return pairs


def _signature(weights: Weights, names: list[str]) -> tuple[object, ...]:
    return tuple((leaf_of(name), tuple(weights.state[name].shape)) for name in names)


def _assigned(
    target: Weights, mine: list[str], source: Weights, other: list[str], axes: Mapping[str, Axes]
) -> tuple[float, list[tuple[int, int]]]:
    """How much of one unit another fills, and with which of its tensors."""
    from scipy.optimize import linear_sum_assignment

    values = np.full((len(mine), len(other)), _IMPOSSIBLE)
    gains, qualities = np.zeros_like(values), np.zeros_like(values)
    for i, name in enumerate(mine):
        tensor = target.state[name]
        for j, key in enumerate(other):
            fit = fit_of(target.own_names.get(name, name), source.state[key], tensor, axes.get(name, ()))
            if fit is None or not _may_meet(name, key):
                continue
            order = abs(i / len(mine) - j / len(other))
            values[i, j] = fit.quality + _SAME_NAME * (leaf_of(name) == leaf_of(key)) - _ORDER * order
            gains[i, j], qualities[i, j] = max(source.state[key].numel(), 1) * fit.quality, fit.quality
    rows, columns = linear_sum_assignment(values, maximize=True)
    found = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if values[i, j] > _IMPOSSIBLE / 2]
    if not _are_alike(target, source, mine, other):
        found = [(i, j) for i, j in found if qualities[i, j] >= _AS_IT_IS]
    return float(sum(gains[i, j] for i, j in found)), found


def _are_alike(target: Weights, source: Weights, names: Sequence[str], keys: Sequence[str]) -> bool:
    """Whether two units are made of the same layers, whatever their widths: only then no name is needed to grow.

    The same tensors in the same order, equal kernels, and channel by channel where the other is.
    """
    if len(names) != len(keys):
        return False
    for name, key in zip(names, keys, strict=True):
        one, two = target.state[name], source.state[key]
        if not _may_meet(name, key) or one.ndim != two.ndim or one.shape[2:] != two.shape[2:]:
            return False
        if one.ndim > 1 and (one.shape[1] == 1) != (two.shape[1] == 1) and {one.shape[1], two.shape[1]} != {1, 3}:
            return False
    return True


def _may_meet(name: str, key: str) -> bool:
    """A scale is no mean: what batch norm measures goes to what batch norm measures."""
    mine, other = leaf_of(name), leaf_of(key)
    if mine in _FIXED_LEAVES or other in _FIXED_LEAVES:
        return mine == other
    # "weight" and "bias" are everybody's names, so they tell apart vectors of one length.
    return {mine, other} != {"weight", "bias"} and bool(COUNTER.search(name)) == bool(COUNTER.search(key))


def _aligned(scores: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of units in increasing order that fill most together (Needleman, Wunsch 1970, gaps at no cost).

    Of several best alignments the one that uses the earliest units of the target: what is left of a stage is its end.
    """
    rows, columns = scores.shape
    best = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        for j in range(columns):
            best[i + 1, j + 1] = max(best[i, j + 1], best[i + 1, j], best[i, j] + scores[i, j])
    found, i, j = [], rows, columns
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found.append((i, j))
    return found[::-1]

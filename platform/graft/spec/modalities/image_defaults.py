"""What is tried on images, by how many there are and how much time: the figures behind it are in docs/defaults.md."""

from collections.abc import Mapping
from typing import Any

from graft.spec.defaults.closed_form import Beside, Size
from graft.spec.defaults.recommended import Recommended
from graft.spec.defaults.scale import Scale

# Training all of EfficientNet-Lite0 on an image of 128 px takes a core so long (docs/defaults.md).
_SECONDS_AT_128 = 0.016
# EfficientNet-Lite1 does so many times the arithmetic of Lite0.
_SECOND_NETWORK = 1.4
SMALL_SIDE = 32
"""What small images are enlarged to where nobody says how much time there is."""
_SIDES, _SMALL_SIDES, _LARGE_SIDES = (128, 96), (128, 96, 64), (192, 160)
_FEATURE_SIDES, _SMALL_FEATURE_SIDES = (96, 128, 160), (32, 64, 96)
# With fewer epochs the whole network is no better than its last blocks, and these are cheap.
_FEWEST = 6
# Larger pictures than the usual ones pay where there is time for as many epochs: of one training, and others beside it.
_LARGER, _AMPLE = 160, 20
_STEADY: Mapping[str, Any] = {"batch_size": 32, "clip_norm": 1.0, "schedule": "one_cycle"}
_SLIGHT: Mapping[str, Any] = {"kind": "light", "magnitude": 0.2}


def seconds_at(side: int) -> float:
    """Seconds that a core takes to train on one image of this side."""
    return _SECONDS_AT_128 * (side / 128) ** 2


def feature_sides(are_small: bool) -> tuple[Size, ...]:
    """Sides at which heads are solved; a frozen network does a third of the arithmetic of a training.

    Args:
        are_small: whether the images have fewer pixels than a network is used to.
    """
    sides = _SMALL_FEATURE_SIDES if are_small else _FEATURE_SIDES
    return tuple(Size({"resolution": side}, seconds_at(side) / 3) for side in sides)


def another_network(are_small: bool) -> Beside:
    """A head on a second network, at the largest side: what one network does not see, another may.

    Args:
        are_small: whether the images have fewer pixels than a network is used to.
    """
    side = max(_SMALL_FEATURE_SIDES if are_small else _FEATURE_SIDES)
    fields = {"backbone": "efficientnet_lite1", "resolution": side, "freeze": 1.0, "head": "ridge"}
    return Beside(fields, head="ridge", seconds_each=_SECOND_NETWORK * seconds_at(side) / 3)


def recommended_by_size(
    space: Mapping[str, Any], are_small: bool, scale: Scale, most: int | None = None
) -> Recommended:
    """What to search, and what to try first.

    Args:
        space: the default one.
        are_small: whether the images have fewer pixels than a network is used to: enlarging them pays, and costs time.
        scale: how many there are, and how much time.
        most: the largest side that the whole network is trained at; None is any.
    """
    if are_small and scale.minutes is None:
        return Recommended({**space, **_STEADY, "resolution": SMALL_SIDE}, _whole_first())
    if scale.preset == "fast":
        return _of_features(space, _SIDES[-1])
    sides = (*_LARGE_SIDES * (scale.preset == "best"), *(_SMALL_SIDES if are_small else _sides(scale)))
    sides = sides if most is None else tuple(one for one in sides if one <= most) or (most,)
    affordable = {side: scale.affordable(seconds_at(side)) for side in sides}
    side = next((one for one, epochs in affordable.items() if epochs is None or epochs >= _FEWEST), None)
    if side is None:
        return _of_features(space, _SIDES[0])
    views = 2 if scale.preset == "best" else 1
    return Recommended({**space, **_STEADY, "resolution": side}, _whole_first(), views)


def _sides(scale: Scale) -> tuple[int, ...]:
    """Sides of usual pictures, the most promising one first."""
    larger = scale.affordable(seconds_at(_LARGER))
    return (_LARGER, *_SIDES) if larger is not None and larger >= _AMPLE else _SIDES


def _of_features(space: Mapping[str, Any], side: int) -> Recommended:
    """The head and the last blocks, whose inputs are computed once."""
    frozen = {"freeze": {"choice": [0.75, 1.0]}, "augment": "none", "resolution": side}
    return Recommended({**space, **_STEADY, **frozen}, _top_alone())


def _whole_first() -> tuple[Mapping[str, Any], ...]:
    """The whole network, what is above half of it, its last quarter; and the whole from a head that was solved."""
    return (
        {**_STEADY, "lr": 1e-3, "augment": _SLIGHT},
        {**_STEADY, "freeze": 0.5, "lr": 2e-3, "augment": {**_SLIGHT, "views": 4}},
        {**_STEADY, "freeze": 0.75, "lr": 4e-3, "augment": {**_SLIGHT, "views": 4}},
        {**_STEADY, "lr": 1e-3, "augment": _SLIGHT, "head_start": "closed_form"},
    )


def _top_alone() -> tuple[Mapping[str, Any], ...]:
    """Blocks whose inputs are computed once, where there is no time for the whole network."""
    return (
        {**_STEADY, "freeze": 0.75, "lr": 2e-3},
        {**_STEADY, "freeze": 1.0, "lr": 3e-3},
    )

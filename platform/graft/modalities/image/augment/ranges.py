"""How strong an operation is at most in each policy, in the operation's own units.

Shears are tangents, shifts shares of the side, rotations degrees, posterising bits that are lost, solarising how far
below white it begins; brightness, colour, contrast and sharpness are what is added to a factor of 1. Shifts that a
paper gives in pixels are shares of the side of the pictures that it gives them for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graft.spec.modalities.base import DataSpec


@dataclass(frozen=True)
class Range:
    """The strengths of an operation.

    Attributes:
        most: at strength 1.
        is_signed: whether either direction occurs.
    """

    most: float = 0.0
    is_signed: bool = False


Ranges = Mapping[str, Range]


def _ranges(shear: float, shift: float, turn: float, factor: float, bits: float) -> dict[str, Range]:
    moves = {"shear_x": shear, "shear_y": shear, "translate_x": shift, "translate_y": shift, "rotate": turn}
    factors = dict.fromkeys(("brightness", "color", "contrast", "sharpness"), factor)
    signed = {name: Range(most, is_signed=True) for name, most in {**moves, **factors}.items()}
    return {
        **signed,
        "posterize": Range(bits),
        "solarize": Range(1.0),
        "autocontrast": Range(),
        "equalize": Range(),
    }


TRIVIAL = {"identity": Range(), **_ranges(shear=0.99, shift=32 / 224, turn=135, factor=0.99, bits=6)}
"""TrivialAugment's wide space."""

RAND = {"identity": Range(), **_ranges(shear=0.3, shift=150 / 331, turn=30, factor=0.9, bits=4)}
"""RandAugment's space."""

AUTO = {**_ranges(shear=0.3, shift=150 / 331, turn=30, factor=0.9, bits=4), "invert": Range()}
"""AutoAugment's space."""

AUGMIX = {
    name: range_
    for name, range_ in _ranges(shear=0.3, shift=1 / 3, turn=30, factor=0.9, bits=4).items()
    if name not in ("brightness", "color", "contrast", "sharpness")
}
"""AugMix's space without the operations of the corruptions that it was tested with."""

CUSTOM = {
    "rotate": Range(135, is_signed=True),
    "scale": Range(0.5, is_signed=True),
    "shift": Range(0.25),
    "shear": Range(0.5, is_signed=True),
    "crop": Range(0.92),
    "jitter": Range(0.8),
    "grey": Range(),
    "blur": Range(0.01),
    "sharpen": Range(0.99),
    "posterize": Range(6),
    "solarize": Range(1.0),
    "equalize": Range(),
    "autocontrast": Range(),
    "invert": Range(),
    "erase": Range(0.33),
}
"""What magnitude 1 of an operation of `custom` is."""


def rotation_of(data: DataSpec) -> float:
    """The largest rotation that keeps the label, in degrees."""
    return float(getattr(data, "rotation", 180.0))


def within(ranges: Ranges, rotation: float) -> dict[str, Range]:
    """The same, but no rotation beyond so many degrees."""
    turn = ranges.get("rotate", Range())
    return {**ranges, "rotate": Range(min(turn.most, rotation), turn.is_signed)} if "rotate" in ranges else {**ranges}

"""What a search may draw the value of a strategy key from: ``{choice: [...]}``, ``{loguniform: [lo, hi]}``, …"""

import math
import random
from dataclasses import dataclass
from typing import Any

Number = int | float


@dataclass(frozen=True)
class Choice:
    """One of the options, each as likely as the others.

    Attributes:
        options: nodes of the search space: values, components, or further distributions.
    """

    options: tuple[Any, ...]

    def sample(self, rng: random.Random) -> Any:
        """One of the options, as it stands: what is drawn inside it is drawn by the caller."""
        return self.options[rng.randrange(len(self.options))]

    def at(self, u: float) -> Any:
        """The option at a share of the way through the list: `u` in [0, 1], cut into equal parts."""
        return self.options[_cell(u, len(self.options))]


@dataclass(frozen=True)
class Uniform:
    """Any number between two bounds, each as likely as the others."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self.low, self.high)

    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return (self.low, self.high)

    def sample(self, rng: random.Random) -> float:
        """One number."""
        return self.at(rng.random())

    def at(self, u: float) -> float:
        """The inverse distribution function: the number below which a share `u` in [0, 1] of all draws lies."""
        return _clamp(self.low + (self.high - self.low) * u, self.low, self.high)

    def position(self, value: float) -> float:
        """The distribution function, in [0, 1]: `at` of it is the value; a value outside counts as the bound."""
        return _clamp((value - self.low) / (self.high - self.low), 0.0, 1.0)


@dataclass(frozen=True)
class LogUniform:
    """Any number between two bounds above zero, each order of magnitude as likely as the others."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"has the lower bound {self.low:g}, but must have one above 0; use `uniform` to reach 0")

    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return (self.low, self.high)

    def sample(self, rng: random.Random) -> float:
        """One number."""
        return self.at(rng.random())

    def at(self, u: float) -> float:
        """The inverse distribution function: the number below which a share `u` in [0, 1] of all draws lies."""
        low, high = math.log(self.low), math.log(self.high)
        return _clamp(math.exp(low + (high - low) * u), self.low, self.high)

    def position(self, value: float) -> float:
        """The distribution function, in [0, 1]: `at` of it is the value; a value outside counts as the bound."""
        low, high = math.log(self.low), math.log(self.high)
        if not low < high:  # bounds so near to each other that their logarithms are one number
            return 0.0
        return (math.log(_clamp(value, self.low, self.high)) - low) / (high - low)


@dataclass(frozen=True)
class RandInt:
    """Any whole number from `low` to `high`, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_order(self.low, self.high)

    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest value; both can be drawn."""
        return (self.low, self.high)

    def sample(self, rng: random.Random) -> int:
        """One whole number."""
        return rng.randint(self.low, self.high)

    def at(self, u: float) -> int:
        """The whole number at a share `u` in [0, 1] of the way; each has an equal part of it."""
        return self.low + _cell(u, self.high - self.low + 1)

    def position(self, value: float) -> float:
        """The middle of the part of [0, 1] that belongs to the value; a value outside counts as the bound."""
        inside = _clamp(value, self.low, self.high)
        return (inside - self.low + 0.5) / (self.high - self.low + 1)


Range = Uniform | LogUniform | RandInt
Distribution = Choice | Range

RANGES: dict[str, type[Range]] = {"uniform": Uniform, "loguniform": LogUniform, "randint": RandInt}
_TOO_LARGE = 1e300
NAMES: tuple[str, ...] = ("choice", *RANGES)


def name_of(distribution: Distribution) -> str:
    """The key that stands for it in a job file."""
    if isinstance(distribution, Choice):
        return "choice"
    return next(name for name, kind in RANGES.items() if isinstance(distribution, kind))


def range_from(name: str, bounds: Any) -> Range:
    """The distribution that ``{name: bounds}`` means.

    Args:
        name: a key of `RANGES`.
        bounds: what stands in the job file, meant to be ``[low, high]``.

    Raises:
        ValueError: it is not a pair of numbers in order; the message is the end of a sentence about the distribution.
    """
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(_is_number(bound) for bound in bounds):
        raise ValueError(f"must be two numbers, as in `{name}: [low, high]`")
    if name == "randint" and not all(isinstance(bound, int) for bound in bounds):
        raise ValueError("must be two whole numbers, as in `randint: [low, high]`; use `uniform` for fractions")
    if name == "randint":
        return RandInt(int(bounds[0]), int(bounds[1]))
    low, high = float(bounds[0]), float(bounds[1])
    return Uniform(low, high) if name == "uniform" else LogUniform(low, high)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE


def _check_order(low: Number, high: Number) -> None:
    if not low < high:
        raise ValueError(f"is from {low:g} to {high:g}, but the lower bound must come first and be smaller")


def _cell(u: float, cells: int) -> int:
    """Which of so many equal parts of [0, 1] holds `u`; 1 belongs to the last."""
    return min(int(u * cells), cells - 1)


def _clamp(value: float, low: float, high: float) -> float:
    """Rounding must not carry a draw over a bound, where the value may not be legal any more."""
    return min(max(value, low), high)

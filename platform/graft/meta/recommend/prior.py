"""What a search is told before its first draw: an immutable value that is journaled, so that a resumed one hears it
again whatever the memory has learned since."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Basis(StrEnum):
    """What a recommendation rests on."""

    BLEND = "blend"
    PRIOR = "prior"
    SCREENING = "screening"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Expected:
    """What is expected of one strategy.

    Attributes:
        strategy_json: as it is drawn from the space, with sorted keys.
        mean: how far below the best of the task, in `below_best` units; 0 is the best.
        deviation: of that.
        cost: of its training, as a multiple of the usual one's.
        reason: in a line; empty for those that are not among the first.
    """

    strategy_json: str
    mean: float
    deviation: float
    cost: float = 1.0
    reason: str = ""


@dataclass(frozen=True)
class Prior:
    """What is expected of the strategies that a search may try.

    Attributes:
        expected: of each.
        portfolio: places in `expected`, in the order in which to try the first ones.
        basis: what it rests on.
        tasks: earlier tasks that it has learned from.
        confidence: how far it is believed, in [0, 1], before any trial has returned; 0 is not at all.
        heads: what is expected of heads that are solved before anything is drawn, in the order in which to solve them.
    """

    expected: tuple[Expected, ...] = ()
    portfolio: tuple[int, ...] = ()
    basis: Basis = Basis.NOTHING
    tasks: int = 0
    confidence: float = 0.0
    heads: tuple[Expected, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it tells nothing, so that the search is the plain one."""
        return not self.expected or self.confidence <= 0 or self.basis == Basis.NOTHING

    def reason_of(self, strategy_json: str) -> str:
        """Why a strategy is recommended; empty if it is not."""
        return next((one.reason for one in self.expected if one.strategy_json == strategy_json), "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads back."""
        return {
            "expected": [asdict(one) for one in self.expected],
            "portfolio": list(self.portfolio),
            "basis": str(self.basis),
            "tasks": self.tasks,
            "confidence": self.confidence,
            "heads": [asdict(one) for one in self.heads],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Prior":
        """Of what `to_dict` has written."""
        return cls(
            tuple(Expected(**one) for one in plain["expected"]),
            tuple(plain["portfolio"]),
            Basis(plain["basis"]),
            plain["tasks"],
            plain["confidence"],
            tuple(Expected(**one) for one in plain.get("heads", ())),
        )


NO_PRIOR = Prior()

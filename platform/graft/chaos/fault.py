"""What a fault is, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft.chaos.sandbox import RunnerContext, Sandbox


class Broken(Exception):  # noqa: N818 - a finding, not an error of the program
    """A guarantee was not kept; the text says what happened instead."""


class Missed(Exception):  # noqa: N818
    """Nothing can be said: the run was over before the moment for the fault came, or what it needs did not start."""


class Verdict(StrEnum):
    """What came of a fault."""

    KEPT = "kept"
    BROKEN = "broken"
    SKIPPED = "skipped"


Act = Callable[["Sandbox"], str]
"""Runs the job, injects the fault, and brings the run to its end; returns when it struck.

It raises `Broken` or `Missed`.
"""


def _nothing(context: "RunnerContext") -> str:
    return ""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: by which it is chosen.
        done: what is done to the run, and when.
        guarantee: what is promised all the same, in one sentence.
        act: does it.
        lack: why it cannot be done here; empty if it can.
        overrides: of the job, ``a.b=value``; the undisturbed run it is compared with has them too.
        is_compared: whether the winner must be that of the undisturbed run; not if the fault is in the job itself.
        sandbox: what is run; None: the job itself.
        home: under which name it has a home of its own; faults without one share theirs, and so the ingested data.
    """

    name: str
    done: str
    guarantee: str
    act: Act = field(repr=False, compare=False)
    lack: Callable[["RunnerContext"], str] = field(default=_nothing, repr=False, compare=False)
    overrides: tuple[str, ...] = ()
    is_compared: bool = True
    sandbox: "type[Sandbox] | None" = None
    home: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a fault.

    Attributes:
        fault: its name.
        injected_at: when it struck.
        guarantee: what is promised.
        verdict: whether that was kept.
        problems: what was not, or why it was skipped.
        counts: of ``graft journal verify``, and how many trials were trained again.
        winner: ``same`` as the undisturbed run's, ``other``, or ``–`` if they are not compared.
        seconds: that it took.
    """

    fault: str
    injected_at: str
    guarantee: str
    verdict: Verdict
    problems: tuple[str, ...] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)
    winner: str = "–"
    seconds: float = 0.0


def require(is_so: object, otherwise: str) -> None:
    """Raise unless a part of the guarantee is kept.

    Raises:
        Broken: with `otherwise`.
    """
    if not is_so:
        raise Broken(otherwise)

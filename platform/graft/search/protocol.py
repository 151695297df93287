"""What the search knows of a trial, and what it tells those who watch. No Ray, no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from graft.spec.strategy import Strategy
from graft.tracking.events import TrialStatus


@dataclass(frozen=True)
class Proposal:
    """A strategy the search wants to try, and the name the trial gets ("t07")."""

    trial: str
    strategy: Strategy


@dataclass(frozen=True)
class Duplicate:
    """A drawn strategy that means the same as an earlier trial's, and so is not trained again."""

    of: str
    key: str


@dataclass(frozen=True)
class TrialEnd:
    """Why and where a trial ended.

    Attributes:
        status: how it ended.
        reason: one line for the user.
        rung: the epoch at which the scheduler stopped it, if it did.
    """

    status: TrialStatus
    reason: str
    rung: int | None = None


class TrialReporter(Protocol):
    """What a trial function uses to talk to the search."""

    def report(self, metrics: Mapping[str, float]) -> None:
        """Hand over the metrics of one epoch; returns when the trial may go on, and does not return when it may not."""

    def fail(self, reason: str) -> None:
        """Say why the trial cannot go on; the function should return right after."""


TrialFunction = Callable[[Proposal, Any, TrialReporter], None]
"""``trial_fn(proposal, payload, reporter)``: trains one strategy; the payload is shared by all trials."""


class Proposer(Protocol):
    """Decides which strategies are tried."""

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The next strategy, or None when there is none any more; `on_duplicate` hears of each one left out."""


class SearchObserver(Protocol):
    """Hears of everything the search does, in the order it happens, in the driver's process."""

    def on_duplicate(self, duplicate: Duplicate) -> None: ...

    def on_started(self, proposal: Proposal) -> None: ...

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def on_finished(self, trial: str, end: TrialEnd) -> None: ...

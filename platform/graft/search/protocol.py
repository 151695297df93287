"""What the search, the trials and those who watch know of each other. No Ray, no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from graft.journal.events import TrialStatus
from graft.meta.recommend.prior import Prior
from graft.spec.strategy import Strategy

LENGTH = "train/epochs"
"""The metric by which a trial tells how many epochs it has planned, where these are fewer than it was to train."""

# Of the time that is left: what a training plans with, as its epochs are not equally long.
_PLANNED = 0.9


@dataclass(frozen=True)
class Allowance:
    """How long trainings may be, so that each of them can be the last of a run that keeps its budget.

    Attributes:
        until: when a training and the fit behind it must be over, in seconds since 1970 by any node's clock.
        fit: seconds an epoch of the fit takes, over those of the training.
        scoring: seconds that the final model is scored for, over those of an epoch of the training.
        validation: seconds that the training is scored for after an epoch, over those it trains in it.
    """

    until: float
    fit: float = 0.0
    scoring: float = 0.0
    validation: float = 0.0

    def epochs(self, done: float, seconds: float, now: float, others: "Others | None" = None) -> int:
        """Epochs of the whole training, and of the fit, that there is time for.

        Args:
            done: epochs that lie behind it.
            seconds: that an epoch takes, with its validation; above 0.
            now: in seconds since 1970.
            others: what is known of other trials; None if that is nothing.
        """
        scoring = max(self.scoring * seconds, others.scoring if others else 0.0)
        ahead = (_PLANNED * (self.until - now) - scoring) / seconds
        affordable = (done + ahead) / (1 + self.fit)
        if others is not None:
            affordable = min(affordable, done + _PLANNED * (others.until - now) / seconds)
        return max(0, int(affordable))


@dataclass(frozen=True)
class Others:
    """What a training that begins is told of other trials, so that it leaves them the time that they need.

    Attributes:
        until: when it must be over, as one of them may be the winner, whose fit follows; in seconds since 1970.
        scoring: seconds that the final model is scored for, as far as they say it.
    """

    until: float
    scoring: float


@dataclass(frozen=True, order=True)
class Checkpoint:
    """Where weights are continued from: a pointer by names; whoever stores checkpoints knows the file.

    Attributes:
        trial: whose.
        segment: which stretch of that trial; it counts up whenever the trial copies from another.
        epoch: epochs that the weights have been trained, from the very start of their lineage.
    """

    trial: str
    segment: int
    epoch: int


@dataclass(frozen=True)
class Proposal:
    """What a trial is to do: train one strategy, from the pretrained weights or from a checkpoint.

    A trial that was cut off is started again with the same proposal; it goes on from the newest checkpoint of its own
    segment, if it has left one.

    Attributes:
        trial: its name ("t07").
        strategy: what is trained.
        start: weights to go on from; None is the pretrained ones.
        segment: 0, and one more each time the trial copies from another.
        epochs: epochs behind it (of its lineage) when it is done.
        phase: index of the phase it belongs to.
        reported: epochs that the search knows of. A trial that goes on from a checkpoint behind which there is an epoch
            that was trained and never reported reports it first.
        runs_to_end: whether no scheduler may stop or hold it: what a job names to be tried first is worth its epochs.
        length: epochs that it has planned, where it could not end in time with all it was to train; then `epochs` are
            as many. None: its schedules run over those of the job.
        others: what was known of other trials when it began; None if nobody has said so.
    """

    trial: str
    strategy: Strategy
    start: Checkpoint | None = None
    segment: int = 0
    epochs: int = 0
    phase: int = 0
    reported: int = 0
    runs_to_end: bool = False
    length: int | None = None
    others: Others | None = None

    def shortened(self, length: int | None) -> "Proposal":
        """With the epochs that the trial has planned; as it is if they are None."""
        return self if length is None else replace(self, epochs=length, length=length)

    @property
    def is_solved(self) -> bool:
        """Whether its head is solved: it is done after one report, and no scheduler knows of it."""
        return self.strategy.head.is_solved


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
        log: what a failed trial left: its traceback, or the last words of its process.
    """

    status: TrialStatus
    reason: str
    rung: int | None = None
    log: str = ""


@dataclass(frozen=True)
class Report:
    """A trial's value of the search's metric at one epoch; never NaN.

    Attributes:
        trial: whose.
        epoch: epochs trained, from the very start of its lineage.
        value: the metric as it is, whichever direction is better.
        length: epochs that it has planned, where these are fewer than it was to train.
    """

    trial: str
    epoch: int
    value: float
    length: int | None = None


@dataclass(frozen=True)
class GoOn:
    """Train another epoch."""


@dataclass(frozen=True)
class Hold:
    """Wait: what becomes of the trial depends on others. `Scheduler.settle` will say."""


@dataclass(frozen=True)
class Stop:
    """End the trial.

    Attributes:
        reason: one line for the user.
        rung: the epoch at which the comparison took place.
    """

    reason: str
    rung: int | None = None


@dataclass(frozen=True)
class Exploit:
    """Go on from another trial's weights, under another strategy.

    Attributes:
        source: the donor's checkpoint.
        strategy: what is trained from now on.
        changes: dotted key -> (donor's value, new value), of what differs from the donor's strategy.
        reason: one line for the user.
    """

    source: Checkpoint
    strategy: Strategy
    changes: Mapping[str, tuple[Any, Any]]
    reason: str


Verdict = GoOn | Hold | Stop
Decision = GoOn | Stop | Exploit


@dataclass(frozen=True)
class CheckpointEpochs:
    """At which epochs a trial must leave a checkpoint, because its scheduler, or the next phase, may ask for it.

    Attributes:
        every: at each multiple of it; 0 is never.
        at: at these as well.
    """

    every: int = 0
    at: frozenset[int] = field(default_factory=frozenset)

    def wants(self, epoch: int) -> bool:
        """Whether a checkpoint is due at this epoch."""
        return epoch in self.at or (self.every > 0 and epoch % self.every == 0)


class Scheduler(Protocol):
    """Decides what becomes of the trials of one phase: pure, reproducible from its seed, no clock, no I/O.

    A proposal that `runs_to_end` is neither stopped nor held, whatever it reports; others may be compared with it.

    What it has decided depends only on the calls it got, in their order; so its state after a crash is restored by
    replaying them. `settle` is called after every `add`, `report` and `remove`.
    """

    @property
    def checkpoints(self) -> CheckpointEpochs:
        """Where trials must leave checkpoints; a trial is held only at such an epoch."""

    def add(self, proposal: Proposal) -> None:
        """A trial is about to start (or to start again under a new segment)."""

    def report(self, report: Report) -> Verdict:
        """A running trial has trained an epoch.

        At its last epoch (`Proposal.epochs`) it ends by itself whatever is answered, but its value counts as any
        other's.
        """

    def remove(self, trial: str) -> None:
        """A trial has ended by itself, or failed: nobody waits for it any more."""

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """What becomes of held trials, as far as it can be said now; each held trial is decided exactly once.

        Args:
            no_more: no further trial will be added. Then, as soon as every live trial is held, at least one of them
                must be decided.
        """


class Searcher(Protocol):
    """Draws strategies: a pure function of what is known, so that it needs no state of its own to be saved."""

    def draw(self, index: int, history: "tuple[Observation, ...]") -> Strategy | None:
        """A strategy for the `index`-th draw (from 0); None when there is none left.

        The same index and history give the same strategy.
        """


@runtime_checkable
class LearnsFromTasks(Protocol):
    """A searcher that can be told what earlier tasks want."""

    def informed(self, prior: Prior) -> Searcher:
        """The same searcher, told; its draws are a function of the prior as well."""


@dataclass(frozen=True)
class Observation:
    """What became of a trial so far.

    Attributes:
        strategy: as it was drawn.
        values: epoch -> value of the search's metric.
        failed: whether it broke (a non-finite loss, an error).
    """

    strategy: Strategy
    values: Mapping[int, float]
    failed: bool = False


@dataclass(frozen=True)
class Retry:
    """A trial that had failed goes on; what its scheduler has decided without it stays decided."""


@dataclass(frozen=True)
class Past:
    """One record of a search that was cut off.

    Attributes:
        trial: whose.
        what: how it began (also under a new segment), what it reported, how it ended, or that it is tried again.
    """

    trial: str
    what: Proposal | Report | TrialEnd | Retry


def length_in(metrics: Mapping[str, float]) -> int | None:
    """The epochs that a trial has planned, by what it reports; None if these are what it was to train."""
    length = metrics.get(LENGTH)
    return None if length is None else int(length)


class TrialReporter(Protocol):
    """What a trial function uses to talk to the search."""

    def report(
        self, epoch: int, metrics: Mapping[str, float], nodes: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        """Hand over the metrics of one epoch; returns when the trial may go on, and does not return when it may not.

        Args:
            epoch: epochs trained, from the very start of the lineage.
            metrics: by names with a section, such as ``val/accuracy``.
            nodes: which nodes trained it, if not the one that this process is on.
            notes: what the user should know, a line each.
        """

    def fail(self, reason: str) -> None:
        """Say why the trial cannot go on; the function should return right after."""


TrialFunction = Callable[[Proposal, Any, TrialReporter], None]
"""``trial_fn(proposal, payload, reporter)``: trains one strategy; the payload is shared by all trials."""


@dataclass(frozen=True)
class Later:
    """Nothing is proposed before one of those that run has ended."""


class Proposer(Protocol):
    """Decides which strategies are tried.

    Attributes:
        is_exhausted: whether it has ended because there is no further strategy, rather than because it made enough.
    """

    is_exhausted: bool

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | Later | None:
        """The next strategy, or None when there is none any more; `on_duplicate` hears of each one left out.

        `Later` counts as None where none of those that run trains.
        """


class SearchObserver(Protocol):
    """Hears of everything the search does, in the order it happens, in the driver's process."""

    def on_duplicate(self, duplicate: Duplicate) -> None: ...

    def on_started(self, proposal: Proposal) -> None: ...

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        """Before each report: the nodes that trained the epoch."""

    def on_note(self, trial: str, text: str) -> None: ...

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None: ...

    def on_finished(self, trial: str, end: TrialEnd) -> None: ...

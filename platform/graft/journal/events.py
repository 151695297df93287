"""What the journal records: every decision and result of an experiment, as small frozen records.

Each subclass of `Event` is a kind of record; `event_json` writes and reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graft.journal.circumstances import Event as Event
from graft.journal.circumstances import NodeChanged as NodeChanged
from graft.journal.circumstances import NodesCounted as NodesCounted
from graft.journal.circumstances import RelayEnded as RelayEnded
from graft.journal.circumstances import ResourcesAwaited as ResourcesAwaited
from graft.journal.circumstances import SystemSampled as SystemSampled
from graft.journal.circumstances import TimeLeftEstimated as TimeLeftEstimated
from graft.journal.outcome import EnsembleChosen as EnsembleChosen
from graft.journal.outcome import Evaluated as Evaluated
from graft.journal.outcome import MetaModelMade as MetaModelMade
from graft.journal.outcome import ModelRegistered as ModelRegistered
from graft.journal.outcome import TrialEstimated as TrialEstimated
from graft.journal.outcome import WinnerChosen as WinnerChosen
from graft.journal.status import ExperimentStatus as ExperimentStatus
from graft.journal.status import TrialStatus as TrialStatus


@dataclass(frozen=True)
class WriterOpened(Event):
    """A process opened the journal to write; it is about the file, so readers of the experiment do not get it.

    `token` counts the writers: a record of an older one that comes after this does not count.
    """

    token: int
    host: str
    pid: int


@dataclass(frozen=True)
class ExperimentStarted(Event):
    """The experiment began, or was resumed (then the same record again).

    Attributes:
        name: the experiment's name, such as ``digits-20261121-1201``.
        key: what identifies it for ever; its MLflow runs are found by it.
        job: the job as a plain mapping.
        versions: package -> version.
        device: the driver's machine, as text.
        commit: git commit of the repository that graft was started in, if there is one.
    """

    name: str
    key: str
    job: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    commit: str | None = None


@dataclass(frozen=True)
class StageStarted(Event):
    """A stage began."""

    stage: str
    detail: str = ""


@dataclass(frozen=True)
class StageFinished(Event):
    """A stage ended well after `seconds`."""

    stage: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class StageSkipped(Event):
    """A stage was not needed: its output is already there."""

    stage: str
    detail: str = ""


INTERRUPTED = "interrupted"
"""Why a stage ended that the user has stopped."""


@dataclass(frozen=True)
class StageFailed(Event):
    """A stage ended badly after `seconds`; `detail` says why."""

    stage: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class PlanMade(Event):
    """What the run is going to do, and with what.

    Attributes:
        plan: of `graft.pipeline.plan`, as a plain mapping.
        resources: what there is, as text.
        cpus: that one trial occupies.
        gpus: that one trial occupies.
    """

    plan: Mapping[str, Any]
    resources: str = ""
    cpus: float = 0.0
    gpus: float = 0.0


@dataclass(frozen=True)
class DatasetReady(Event):
    """The data set is ingested.

    Attributes:
        fingerprint: digest of its content and preprocessing, hex.
        source: where it came from, as text.
        counts: split -> number of samples.
        quarantine: unreadable files, each ``{"path": …, "reason": …}``.
        classes: names of what is predicted; called so because the first journals knew classes only.
        duplicates: different samples that lie, bit for bit, in more than one split.
        task: kind of the task that has read the targets.
        modality: kind of the samples.
        notes: what the user should know of how the samples are kept, in sentences.
        ignored: files that are no samples, each ``{"reason": …, "count": …, "examples": […]}``.
        findings: of the examination, each ``{"kind": …, "severity": …, "count": …, "examples": […], "action": …}``.
        dropped: samples left out for a finding, each ``{"path": …, "kind": …, "reason": …}``.
    """

    fingerprint: str
    source: str
    counts: Mapping[str, int]
    quarantine: tuple[Mapping[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    duplicates: int = 0
    task: str = ""
    modality: str = ""
    notes: tuple[str, ...] = ()
    ignored: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    dropped: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class TrialStarted(Event):
    """A trial began, or began again when the experiment was resumed.

    Attributes:
        trial: its name within the experiment, ``t07``.
        strategy: the strategy as a plain mapping.
        label: the strategy at a glance, ``efficientnet_lite0 freeze=0.75 l2_sp``.
        seed: root of its random choices.
        phase: index of the phase of the search it belongs to.
        epochs: epochs behind it when it is done.
        start: trial, segment and epoch of the checkpoint it goes on from; None is the pretrained weights.
        runs_to_end: whether the job named it to be tried first, so that it is not stopped early.
        recommended: why earlier tasks speak for its strategy, in a line; empty if it was drawn, or named.
    """

    trial: str
    strategy: Mapping[str, Any]
    label: str
    seed: int | None = None
    phase: int = 0
    epochs: int = 0
    start: tuple[str, int, int] | None = None
    runs_to_end: bool = False
    recommended: str = ""


@dataclass(frozen=True)
class TrialReported(Event):
    """A trial ended an epoch.

    Attributes:
        epoch: 1-based.
        metrics: name -> value; may hold non-finite values.
        seconds: wall time of the epoch.
    """

    trial: str
    epoch: int
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class TrialFinished(Event):
    """A trial ended.

    Attributes:
        reason: one line that says why, for every status but ``completed``.
        epochs: how many it trained.
        metrics: those of its best epoch.
        seconds: wall time of the whole trial.
        rung: the rung of the scheduler at which it was stopped, if it was.
        log: what a failed trial left: its traceback, or the last words of its process.
    """

    trial: str
    status: TrialStatus
    reason: str = ""
    epochs: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    rung: int | None = None
    log: str = ""


@dataclass(frozen=True)
class TrialPlaced(Event):
    """The nodes that train a trial from now on, by Ray's ids."""

    trial: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class TrialNoted(Event):
    """Something the user should know of a trial that goes on: a damaged checkpoint, a disk that is full."""

    trial: str
    text: str

    @property
    def what(self) -> str:
        """The text up to its first colon: what happened, without how it was found out this time."""
        return self.text.partition(": ")[0]


@dataclass(frozen=True)
class TrialRetried(Event):
    """A trial that had failed is to be run again, from its newest whole checkpoint."""

    trial: str


@dataclass(frozen=True)
class TrialExploited(Event):
    """A trial copied the weights of another, and goes on under a variation of its strategy.

    Attributes:
        segment: the stretch of the trial that begins here, from 1.
        strategy: what it trains from now on.
        label: the same at a glance.
        donor: whose weights.
        donor_segment: which stretch of the donor's.
        epoch: epochs that the weights have behind them.
        changes: key -> (the donor's value, the new one).
        reason: one line that says why.
    """

    trial: str
    segment: int
    strategy: Mapping[str, Any]
    label: str
    donor: str
    donor_segment: int
    epoch: int
    changes: Mapping[str, tuple[Any, Any]]
    reason: str = ""


@dataclass(frozen=True)
class PhaseStarted(Event):
    """A phase of the search began, or began again when the experiment was resumed."""

    phase: int
    scheduler: str
    searcher: str
    epochs: int


@dataclass(frozen=True)
class BackbonesScreened(Event):
    """The backbones of the space were scored in closed form, or were not worth it: once for the whole search.

    Attributes:
        scores: name of the score, with ``@`` and the share of the blocks where it is not all -> backbone -> its value;
            larger is better. Empty where nothing was scored.
        seconds: that it took.
        told: the same in a line.
    """

    scores: Mapping[str, Mapping[str, float]]
    seconds: float
    told: str


@dataclass(frozen=True)
class RecommendationsMade(Event):
    """What the searcher of a phase is told of earlier tasks, before its first draw and once for all.

    Attributes:
        prior: of `graft.meta.recommend.prior.Prior`, as a plain mapping; a search that goes on is told it again.
        told: the same in a line.
    """

    phase: int
    prior: Mapping[str, Any]
    told: str


@dataclass(frozen=True)
class PhaseFinished(Event):
    """A phase of the search ended by itself.

    Attributes:
        trials: how many began in it.
        best: their best value of the metric; None if none got one.
        trial: whose that is.
    """

    phase: int
    trials: int
    best: float | None
    trial: str | None
    seconds: float


@dataclass(frozen=True)
class SearchEnded(Event):
    """Why it ended: `by` trials, space, minutes, gpu_hours, cost, target or interrupt; `detail` is for the user."""

    by: str
    detail: str = ""


@dataclass(frozen=True)
class ImportanceEstimated(Event):
    """Which fields of the strategy the results depended on; the fields of `graft.search.importance.Importance`.

    Attributes:
        shares: field -> share; empty if nothing can be said.
        explained: share of the variance that is explained for trials not seen; None if it was not estimated.
        trials: how many it is estimated from.
        epoch: at which they are compared.
        note: one line on how, or why not.
    """

    shares: Mapping[str, float]
    explained: float | None
    trials: int
    epoch: int
    note: str


@dataclass(frozen=True)
class DuplicateSkipped(Event):
    """A suggested strategy means the same as that of trial `of`, so it was not trained again."""

    trial: str | None
    of: str
    key: str


@dataclass(frozen=True)
class ExperimentFinished(Event):
    """The experiment ended; nothing follows unless it is resumed."""

    status: ExperimentStatus
    seconds: float
    detail: str = ""

"""How an experiment stands, folded from its journal: the one source of the display, the leaderboard and the result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graft.experiments.stages import StageState
from graft.experiments.standing.pace import Pace
from graft.experiments.standing.tally import Tally
from graft.journal import events
from graft.journal.journal import read
from graft.search.protocol import length_in
from graft.spec.job import Job
from graft.spec.metrics import MetricSpec
from graft.tasks.intervals import wilson

RUNNING = "running"


@dataclass
class StageProgress:
    """One stage: its state, seconds, and what it said of itself."""

    state: StageState = StageState.PENDING
    seconds: float = 0.0
    started: float = 0.0
    detail: str = ""


@dataclass
class TrialProgress:
    """One trial.

    Attributes:
        trial: its name.
        label: its strategy at a glance.
        strategy: its strategy as plain data.
        status: ``running``, or how it ended.
        epoch: epochs trained.
        best: metrics of its best epoch so far, as the search compares them.
        best_epoch: the epoch of `best`, 1-based; 0 before the first report.
        best_segment: the segment of `best`.
        best_strategy, best_label: what was trained in `best`, as plain data and at a glance; empty before it.
        epoch_seconds: seconds of each epoch.
        seconds: wall time.
        reason: why it ended.
        phase: index of the phase it belongs to.
        epochs: epochs behind it when it is done.
        length: epochs that it has planned, where it could not end in time with all it was to train; else 0.
        segment: counts how often it has copied from another trial.
        nodes: that have trained it.
        cache: what it took to have the features of its frozen blocks, by name; empty if it used none.
        is_retrained: whether it trained again after it had ended for good.
        values: of the metric, by the epochs of its newest segment.
        runs_to_end: whether the job named it to be tried first.
        recommended: why earlier tasks speak for it; empty if it was drawn, or named.
        estimate: metrics by folds, once the search has ended; empty if it was no finalist.
    """

    trial: str
    label: str
    strategy: Mapping[str, Any]
    status: str = RUNNING
    epoch: int = 0
    best: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_segment: int = 0
    best_strategy: Mapping[str, Any] = field(default_factory=dict)
    best_label: str = ""
    epoch_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    started: float = 0.0
    reason: str = ""
    rung: int | None = None
    phase: int = 0
    epochs: int = 0
    length: int = 0
    segment: int = 0
    nodes: tuple[str, ...] = ()
    cache: dict[str, float] = field(default_factory=dict)
    network: dict[str, float] = field(default_factory=dict)
    is_retrained: bool = False
    values: dict[int, float] = field(default_factory=dict)
    runs_to_end: bool = False
    recommended: str = ""
    estimate: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean_epoch(self) -> float:
        """Seconds of an epoch on average; 0 before the first has ended."""
        return sum(self.epoch_seconds) / len(self.epoch_seconds) if self.epoch_seconds else 0.0

    @property
    def pass_seconds(self) -> float:
        """Seconds to bring training and validation samples through its frozen blocks once; 0 if others have done it."""
        passes = max(2.0, self.cache.get("misses", 0.0))  # of both splits, one more for each stored view
        return 2 * self.cache.get("pass_seconds", 0.0) / passes

    @property
    def has_ended(self) -> bool:
        """For good: one that was cut off with its run goes on with the next."""
        return self.status not in (RUNNING, events.TrialStatus.INTERRUPTED)


@dataclass
class PhaseProgress:
    """One phase of the search: what it runs, and how it ended (`seconds` is None while it runs)."""

    scheduler: str
    trials: int = 0
    best: float | None = None
    trial: str | None = None
    seconds: float | None = None


class Progress:
    """State of an experiment; feed it every event of the journal in order.

    Args:
        metric: what trials are ranked by.
        epochs: the most a trial trains.

    Attributes:
        started: time of the first record.
        now: time of the last one.
        spent_before: seconds that earlier runs of the experiment have taken.
        runs: how often it was begun.
        fingerprint: of the dataset that it was last given; empty before.
        notes: what happened to trials -> where it happened first.
        nodes_told: node -> what was told of it last; not of one that answers again.
        samples: split -> how many there are; empty before the data are there.
        winner: the trial whose strategy is fitted in the end; None before it is chosen.
        winner_reason: why it is, in words; empty before.
        shares: of the members of an ensemble, by trial; empty while the winner answers alone.
        at_once: how many trials the machine trains side by side.
        awaited: what trials wait for, in words; empty if nothing is missing.
        nodes_counted: nodes of a cluster that grows, and what they cost; None elsewhere.
        pace: how fast this run goes.
        ensemble_chosen: when it was decided who answers with the winner; None before.
        tally: counts over the trials.
    """

    def __init__(self, metric: MetricSpec, epochs: int) -> None:
        self.metric = metric
        self.epochs = epochs
        self.started = 0.0
        self.now = 0.0
        self.spent_before = 0.0
        self.runs = 0
        self._run_started: float | None = None
        self.stages: dict[str, StageProgress] = {}
        self.trials: dict[str, TrialProgress] = {}
        self.phases: dict[int, PhaseProgress] = {}
        self.exploits: list[events.TrialExploited] = []
        self.notes: dict[str, events.TrialNoted] = {}
        self.nodes_told: dict[str, str] = {}
        self.duplicates = 0
        self.fingerprint = ""
        self.winner: str | None = None
        self.winner_reason = ""
        self.shares: Mapping[str, float] = {}
        self.search_ended: events.SearchEnded | None = None
        self.status: events.ExperimentStatus | None = None
        self.samples: Mapping[str, int] = {}
        self.at_once = 1
        self.awaited = ""
        self.nodes_counted: events.NodesCounted | None = None
        self.pace = Pace()
        self.ensemble_chosen: float | None = None
        self.tally = Tally[TrialProgress](metric, RUNNING)

    @classmethod
    def of(cls, journal_file: Path, job: Job) -> "Progress":
        """The state a job's journal leads to."""
        progress = cls(job.objective, job.epochs)
        for _, event in read(journal_file):
            progress.apply(event)
        return progress

    def apply(self, event: events.Event) -> None:
        """Take one event into account."""
        before, self.now = self.now, event.time
        match event:
            case events.ExperimentStarted():
                self._begin_run(event.time, before)
            case events.StageStarted() | events.StageFinished() | events.StageSkipped() | events.StageFailed():
                self._apply_stage(event)
            case events.PhaseStarted() | events.PhaseFinished():
                self._apply_phase(event)
            case events.TrialStarted() | events.TrialRetried():
                self._apply_start(event)
            case (
                events.TrialReported()
                | events.TrialFinished()
                | events.TrialExploited()
                | events.TrialPlaced()
                | events.TrialNoted()
                | events.TrialEstimated()
            ):
                self._apply_trial(event)
            case (
                events.SearchEnded()
                | events.DatasetReady()
                | events.DuplicateSkipped()
                | events.WinnerChosen()
                | events.EnsembleChosen()
            ):
                self._apply_finding(event)
            case events.ExperimentFinished():
                self.status, self._run_started = event.status, None
                self.spent_before += event.seconds
            case _:
                self._apply_circumstance(event)
        self.pace.apply(event)
        changed, leader = self.trials.get(getattr(event, "trial", None) or ""), self.tally.leader
        if changed is not None:
            self.tally.take(changed, self.score(changed), self.score(leader) if leader else None)

    @property
    def spent(self) -> float:
        """Seconds that the runs of the experiment have taken, up to the last record."""
        return self.spent_before + (0.0 if self._run_started is None else max(0.0, self.now - self._run_started))

    def score(self, trial: TrialProgress) -> float | None:
        """The trial's best value of the metric, or None if it has none."""
        return trial.best.get(f"val/{self.metric.name}")

    def interval(self, trial: TrialProgress) -> tuple[float, float] | None:
        """95 % bounds of the score, where it is a mean over folds, or a share of the validation samples.

        They say how sure a score is by itself, not that it is the best of many.
        """
        low, high = (trial.best.get(f"val/{self.metric.name}_{bound}") for bound in ("low", "high"))
        if low is not None and high is not None:
            return low, high
        score, count = self.score(trial), self.samples.get("validation", 0)
        if not self.metric.is_share or score is None or not count:
            return None
        bounds = wilson(round(score * count), count)
        return bounds.low, bounds.high

    def estimate(self, trial: TrialProgress) -> tuple[float, float, float] | None:
        """A finalist's mean over folds, and its 95 % bounds; None of the others."""
        name = self.metric.name
        found = tuple(trial.estimate.get(key) for key in (name, f"{name}_low", f"{name}_high"))
        return None if None in found else found  # type: ignore[return-value]

    def ranked(self) -> list[TrialProgress]:
        """All trials, best first; those without a score last, in the order they started."""
        return sorted(self.trials.values(), key=lambda one: self.metric.best_first(self.score(one), one.trial))

    def of_phase(self, phase: int) -> list[TrialProgress]:
        """The trials of one phase, ranked."""
        return [trial for trial in self.ranked() if trial.phase == phase]

    def counts(self) -> dict[str, int]:
        """How many trials ended how."""
        ended = [trial.status for trial in self.trials.values()]
        counted = {str(status): ended.count(status) for status in events.TrialStatus}
        return {"total": len(ended), **counted, "duplicates": self.duplicates}

    def _apply_finding(self, event: events.Event) -> None:
        match event:
            case events.SearchEnded():
                self.search_ended = event
            case events.DatasetReady():
                self.fingerprint, self.samples = event.fingerprint, event.counts
            case events.DuplicateSkipped():
                self.duplicates += 1
            case events.WinnerChosen():
                self.winner, self.winner_reason, self.shares = event.trial, event.reason, {}
            case events.EnsembleChosen():
                self.shares, self.ensemble_chosen = event.shares if event.is_kept else {}, event.time

    def _begin_run(self, time: float, before: float) -> None:
        """A run that was killed has left no end: it lasted to its last record."""
        if self._run_started is not None:
            self.spent_before += max(0.0, before - self._run_started)
        self.runs += 1
        self.started, self._run_started, self.status = self.started or time, time, None
        self.awaited, self.ensemble_chosen, self.pace = "", None, Pace(time)
        self.nodes_told.clear()

    def _apply_circumstance(self, event: events.Event) -> None:
        """What the run has to work with; facts about the model move nothing."""
        match event:
            case events.ResourcesAwaited():
                self.awaited = event.what
            case events.NodeChanged():
                self.nodes_told.pop(event.node, None)
                if event.state != "back":
                    self.nodes_told[event.node] = event.text
            case events.NodesCounted():
                self.nodes_counted = event
            case events.PlanMade():
                share = event.plan.get("share") or {}
                self.at_once = max(1, int(share.get("concurrent") or 1))

    def _reopen(self, trial: TrialProgress) -> None:
        trial.status, trial.reason = str(events.TrialStatus.INTERRUPTED), "to be tried again"
        self.search_ended = None
        if trial.phase in self.phases:
            self.phases[trial.phase].seconds = None

    def _apply_stage(self, event: Any) -> None:
        stage = self.stages.setdefault(event.stage, StageProgress())
        stage.detail = event.detail
        match event:
            case events.StageStarted():
                stage.state, stage.started = StageState.RUNNING, event.time
            case events.StageSkipped():
                stage.state = StageState.SKIPPED
            case events.StageFinished():
                stage.state, stage.seconds = StageState.DONE, event.seconds
            case events.StageFailed():
                stage.state, stage.seconds = StageState.FAILED, event.seconds

    def _apply_phase(self, event: Any) -> None:
        phase = self.phases.setdefault(event.phase, PhaseProgress(""))
        if isinstance(event, events.PhaseStarted):
            phase.scheduler = event.scheduler
            return
        phase.trials, phase.best, phase.trial, phase.seconds = event.trials, event.best, event.trial, event.seconds

    def _apply_start(self, event: events.TrialStarted | events.TrialRetried) -> None:
        """A trial that was cut off and goes on keeps what it has."""
        if isinstance(event, events.TrialRetried):
            self._reopen(self.trials[event.trial])
            return
        trial = self.trials.get(event.trial)
        if trial is None:
            trial = self.trials[event.trial] = TrialProgress(
                event.trial,
                event.label,
                event.strategy,
                started=event.time,
                phase=event.phase,
                epochs=event.epochs,
                runs_to_end=event.runs_to_end,
                recommended=event.recommended,
            )
        trial.is_retrained |= trial.has_ended
        # The time between two runs is nobody's, and the clock may have been set meanwhile.
        trial.started = event.time - trial.seconds
        trial.status, trial.reason = RUNNING, ""

    def _apply_trial(self, event: Any) -> None:
        trial = self.trials[event.trial]
        if isinstance(event, events.TrialEstimated):
            trial.estimate = event.metrics
            return
        trial.seconds = max(0.0, event.time - trial.started)
        match event:
            case events.TrialPlaced():
                trial.nodes = tuple(sorted({*trial.nodes, *event.nodes}))
            case events.TrialNoted():
                self.notes.setdefault(event.what, event)
            case events.TrialReported():
                trial.is_retrained |= trial.has_ended
                trial.epoch = event.epoch
                trial.epoch_seconds.append(event.seconds)
                self.awaited = ""
                trial.cache = _summed(trial.cache, _section(event.metrics, "cache/"))
                if (value := event.metrics.get(f"val/{self.metric.name}")) is not None:
                    trial.values[event.epoch] = value
                trial.network |= _section(event.metrics, "model/")
                trial.length = length_in(event.metrics) or trial.length
                if self._is_better(event.metrics, trial):
                    trial.best, trial.best_epoch, trial.best_segment = event.metrics, event.epoch, trial.segment
                    trial.best_strategy, trial.best_label = trial.strategy, trial.label
            case events.TrialExploited():
                self.exploits.append(event)
                trial.segment, trial.epoch, trial.values = event.segment, event.epoch, {}
                trial.strategy, trial.label = event.strategy, event.label
            case events.TrialFinished():
                trial.status, trial.reason, trial.rung = str(event.status), event.reason, event.rung

    def _is_better(self, metrics: Mapping[str, float], trial: TrialProgress) -> bool:
        value = metrics.get(f"val/{self.metric.name}")
        return value is not None and self.metric.is_better(value, self.score(trial))


def _section(metrics: Mapping[str, float], start: str) -> dict[str, float]:
    return {name.removeprefix(start): value for name, value in metrics.items() if name.startswith(start)}


def _summed(sums: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    return {name: sums.get(name, 0.0) + more.get(name, 0.0) for name in {**sums, **more}}

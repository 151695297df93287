"""Runs a job: ingest → search → fit → evaluate → export → register, each stage once, the journal before all else."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graft.core.clock import Clock, SystemClock
from graft.core.credentials import redact
from graft.core.errors import Interrupted, Problem, SpecError
from graft.core.storage import Home, write_json, write_text
from graft.core.stores.copy import Copy, is_there, require_conditional
from graft.core.stores.home_path import located
from graft.data.dataset import Dataset
from graft.data.remote.here import copies_in
from graft.experiments.budget import deadline_of
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.experiments.result import Result, all_metrics, ensemble_of
from graft.experiments.resume import CHANGEABLE, failed_trials, reopen, where_it_stands
from graft.experiments.run_clock import RunClock
from graft.experiments.savings import savings
from graft.experiments.sharing import send, send_if_possible
from graft.experiments.stages import StageName
from graft.experiments.standing.best_so_far import way_of
from graft.experiments.standing.closed_form import solved_heads
from graft.experiments.standing.estimates import journal_estimates
from graft.experiments.standing.leaderboard import as_csv, leaderboard
from graft.experiments.standing.metrics import measured
from graft.experiments.task_memory.synchronise import remembering
from graft.journal import events
from graft.journal.events import ExperimentStatus
from graft.journal.journal import Journal, read
from graft.journal.record import Record
from graft.meta.memory.place import place_of
from graft.models.load import check_backbone
from graft.pipeline.context import RunContext
from graft.pipeline.library_logs import without_expected_warnings
from graft.pipeline.plan import moved_freezes
from graft.pipeline.publishing import DRAIN_SECONDS, plan_made
from graft.pipeline.ray_session import check_cluster, head_address, ray_session
from graft.pipeline.scaling.metering import machines_looked_at
from graft.pipeline.stages.ensemble import Ensembling, are_there
from graft.pipeline.stages.evaluate import run_evaluate
from graft.pipeline.stages.export import export_best_so_far, run_export
from graft.pipeline.stages.fit import fit_detail
from graft.pipeline.stages.ingest import is_dataset_there, open_ingested, run_ingest
from graft.pipeline.stages.register import run_register
from graft.pipeline.stages.runner import Output, StageRunner
from graft.pipeline.stages.search import run_search_stage
from graft.pipeline.task_memory.entry import note_its_task
from graft.pipeline.waits import telling_wait
from graft.pipeline.watchers import OnLost, watch_head
from graft.pipeline.zoo.mapped import needs_own_weights
from graft.pipeline.zoo.own_weights import check_starts
from graft.search.outlook import Outlook, worth_at_once
from graft.spec.job import Job
from graft.spec.search.phases import total_trials
from graft.tracking.preflight import check_target, foreign_settings
from graft.tracking.provenance import git_commit, machine, versions_here
from graft.tracking.relay import start_relay
from graft.tracking.relay_files import RelayFiles
from graft.tracking.relay_supervisor import RelaySupervisor
from graft.tracking.target import target_of
from graft.workers.allocation import ClusterResources, allocate, allocate_fit, on_whole_nodes
from graft.workers.exporter import exporting

_LOG = logging.getLogger(__name__)

Listener = Callable[[events.Event], None]

SILENCE_S = 2.0
"""A run tells what it waits for if nothing has begun for longer."""


@dataclass(frozen=True)
class RunOptions:
    """How to run, beside what the job says.

    Attributes:
        listeners: called with every event after it is in the journal.
        clock: the machine's, but for tests.
        retry_errored: whether trials that have failed are tried again.
        on_lost_head: told when the head of the cluster is gone; Ray ends the process half a minute later.
        on_session: called when Ray is up.
    """

    listeners: Sequence[Listener] = ()
    clock: Clock = field(default_factory=SystemClock)
    retry_errored: bool = False
    on_lost_head: OnLost = _LOG.critical
    on_session: Callable[[], object] = lambda: None


def check_job(job: Job, home: Home) -> Sequence[str]:
    """Find out, before anything expensive starts, what the job file cannot know of itself.

    Returns:
        What the user should know of, though the run can go on.

    Raises:
        SpecError: a backbone is unknown or its weights are not installed; all such problems;
            or the task memory has an address that cannot be written.
        TrackingError: the tracking store will not take the run or its model.
        ResourceError: the home cannot be written, or the cluster to join does not answer.
    """
    check_cluster()
    names, needs_weights = job.reach.values("backbone"), needs_own_weights(job)
    problems = [check_backbone(name, needs_weights) for name in names]
    found = [Problem("strategy.backbone", problem.removeprefix("backbone ")) for problem in problems if problem]
    if found:
        raise SpecError(found)
    check_starts(job, home)
    home.require_writable()
    if (copy := Copy.of(home.root)) is not None:
        require_conditional(copy)
    place_of(home)
    target, model = target_of(home, job), job.model_name if job.export.register else None
    absence = check_target(target, model, is_embedded=job.tracking.uri is None)
    return [*foreign_settings(target), *([absence] if absence else []), *_of_a_store(home, job)]


def _of_a_store(home: Home, job: Job) -> Sequence[str]:
    if not home.address or job.tracking.uri is not None:
        return ()
    told = "the home is a store, but MLflow's database and its models stay on this machine; `graft ui` makes them anew "
    return (f"{told}elsewhere from the journal, and tracking.uri names a server for all",)


def run_experiment(experiment: Experiment, home: Home, options: RunOptions | None = None) -> Result:
    """Run an experiment from where it stands to its end: a new one from the start, an interrupted one from there.

    Raises:
        GraftError: it cannot be finished; the journal says how far it got.
        Interrupted: the user stopped it; the best model so far has been exported.
    """
    options = options or RunOptions()
    job = experiment.job()
    Record.of(experiment.journal_file).require_same(job, experiment.job_file, CHANGEABLE)
    for note in check_job(job, home):
        _LOG.warning("%s", note)
    with remembering(experiment, home), Journal(experiment.journal_file, options.clock) as journal:
        progress = Progress(job.objective, job.epochs)
        history = SearchHistory(job.objective)
        for _, event in read(experiment.journal_file):
            progress.apply(event)
            history.apply(event)
        estimates = journal_estimates(journal, progress, Outlook.of(job))
        for listener in (progress.apply, estimates, *options.listeners):
            journal.subscribe(listener)
        resumed_from = where_it_stands(progress)
        run = _Run(experiment, home, job, journal, progress, history, options)
        retried = failed_trials(progress) if options.retry_errored else []
        with copies_in(home):
            return run.to_the_end(retried, resumed_from)


class _Run:
    """One run of an experiment: begins it, goes through the stages, and always leaves an end in the journal."""

    def __init__(
        self,
        experiment: Experiment,
        home: Home,
        job: Job,
        journal: Journal,
        progress: Progress,
        history: SearchHistory,
        options: RunOptions,
    ) -> None:
        clock = options.clock
        self._on_lost_head, self._on_session = options.on_lost_head, options.on_session
        self._experiment, self._home, self._job = experiment, home, job
        self._journal, self._progress, self._history, self._clock = journal, progress, history, clock
        self._stages = StageRunner(experiment.stages, journal, clock)
        self._started = clock.elapsed()
        self._listeners = options.listeners
        self._relay: RelaySupervisor | None = None

    def to_the_end(self, retried: Sequence[str], resumed_from: dict[str, Any] | None) -> Result:
        self._begin()
        self._try_again(retried)
        try:
            summary = self._interruptible()
        except BaseException as error:
            self._close_relay()
            self._end(ExperimentStatus.of(error), str(error) or type(error).__name__)
            send_if_possible(self._experiment.directory)
            raise
        return self._finish({**summary, "resumed_from": resumed_from})

    def _begin(self) -> None:
        job = self._job.model_dump(mode="json")
        # Those of its beginning: its runs in MLflow are found by them, and its directory may have been renamed since.
        record = Record.of(self._experiment.journal_file)
        name, key = record.name or self._experiment.name, record.key or self._experiment.name
        self._journal.append(
            events.ExperimentStarted(name, key, job, versions_here(), device=machine(), commit=git_commit(Path.cwd()))
        )

    def _try_again(self, trials: Sequence[str]) -> None:
        # In this order: killed in between, the search finds that all its trials have ended, and nothing is lost.
        if trials:
            reopen(self._experiment)
        for trial in trials:
            self._history.apply(self._journal.append(events.TrialRetried(trial)))

    def _interruptible(self) -> dict[str, Any]:
        try:
            return self._in_session()
        except KeyboardInterrupt as error:  # before there was a model to keep, or for the second time
            raise Interrupted(f"interrupted; {self._how_to_go_on}") from error

    @property
    def _how_to_go_on(self) -> str:
        return f"`graft resume {self._experiment.name}` goes on"

    def _in_session(self) -> dict[str, Any]:
        job = self._job
        with (
            without_expected_warnings(),
            self._ray() as resources,
            watch_head(head_address(), self._lose_head),
            machines_looked_at(self._journal, job, self._progress),
        ):
            self._on_session()
            run_clock = self._run_clock(resources)
            self._journal.append(plan_made(job, resources, run_clock.allocation))
            context = RunContext(
                self._experiment, self._home, job, self._journal, self._progress, self._clock, self._history, run_clock
            )
            relay = RelayFiles(self._experiment.directory)
            with exporting(lambda: measured(self._experiment.name, run_clock, relay)):
                return self._through_the_stages(context, resources)

    @contextlib.contextmanager
    def _ray(self) -> Iterator[ClusterResources]:
        with contextlib.ExitStack() as session:
            with telling_wait(self._tell_waiting, lambda: "for Ray to start", SILENCE_S):
                resources = session.enter_context(ray_session(self._experiment.directory / "ray-logs"))
            yield resources

    def _through_the_stages(self, context: RunContext, resources: ClusterResources) -> dict[str, Any]:
        job = self._job
        data = self._stages.run(StageName.INGEST, lambda: run_ingest(context), is_dataset_there)
        dataset = open_ingested(located(data["directory"]), job)
        if dataset.is_streamed:
            context = replace(context, run_clock=self._run_clock(resources.without_decoding()))
        # Not before: data that cannot be used is no run worth a process and a database.
        target = target_of(self._home, job)
        self._relay = RelaySupervisor(
            lambda: start_relay(self._experiment.directory, target), self._journal.append
        ).watch()
        try:
            return self._after_ingest(context, dataset)
        except (KeyboardInterrupt, Interrupted) as error:
            raise self._interrupted(context, dataset) from error

    def _lose_head(self, message: str) -> None:
        told = f"{message}; when there is a head again, `graft resume {self._experiment.name}` goes on"
        self._end(ExperimentStatus.INTERRUPTED, told)
        self._on_lost_head(told)

    def _run_clock(self, resources: ClusterResources) -> RunClock:
        job = self._job
        trials, there = total_trials(job.phases), resources.at_its_largest(job.search.budget.nodes)
        if resources.can_grow:
            worth = worth_at_once(job, is_size_known=not there.can_grow)
            divided = allocate(job.resources, there, on_whole_nodes(worth, job.resources, there))
        else:
            divided = allocate(job.resources, there, trials)
        is_fitted = job.training.final_on != "train"
        fit = allocate_fit(job.resources, job.training.fit, there) if is_fitted else divided
        price = job.resources.price.where_nodes(are_counted=resources.can_grow)
        deadline = deadline_of(job.search.budget, price, divided, trials)
        return RunClock(job, self._progress, self._clock, divided, fit, deadline, self._started)

    def _after_ingest(self, context: RunContext, dataset: Dataset) -> dict[str, Any]:
        run = self._stages.run
        found = run(StageName.SEARCH, lambda: run_search_stage(context, dataset), detail=moved_freezes(self._job))
        note_its_task(context, dataset)
        winner = self._progress.trials[found["winner"]]
        detail = fit_detail(context, dataset, winner)
        fitted = run(StageName.FIT, Ensembling(context, dataset, winner).fit, are_there, detail)
        scored = run(StageName.EVALUATE, lambda: run_evaluate(context, dataset, winner, fitted))
        exported = run(StageName.EXPORT, lambda: run_export(context, dataset, winner, fitted, scored), _has("bundle"))
        registered: Output = {}
        if self._job.export.register:
            registered = run(StageName.REGISTER, lambda: run_register(context))
        metric = self._job.objective.name
        return {
            "task": self._job.decided_task.kind,
            "modalities": [self._job.data.modality],
            "metrics": all_metrics(scored),
            "validation": self._progress.score(winner),
            "validation_interval": self._progress.interval(winner),
            "estimate": self._progress.estimate(winner),
            "test": scored["metrics"][metric],
            "test_interval": scored["intervals"][metric],
            "tta": scored.get("tta"),
            "ensemble": ensemble_of(fitted, scored),
            "winner": winner.best_strategy,
            "winner_trial": winner.trial,
            "workers": context.run_clock.allocation.workers,
            "nodes": len(self._nodes(fitted)),
            "bundle": exported["bundle"],
            "exports": exported.get("exports", {}),
            "model_uri": registered.get("model_uri"),
        }

    def _interrupted(self, context: RunContext, dataset: Dataset) -> Interrupted:
        bundle = export_best_so_far(context, dataset)
        if bundle is None:
            return Interrupted(f"interrupted before any trial had a score; {self._how_to_go_on}")
        return Interrupted(f"interrupted; the best model so far is in {bundle}; {self._how_to_go_on}")

    def _finish(self, found: dict[str, Any]) -> Result:
        rows = leaderboard(self._progress)
        target = target_of(self._home, self._job)
        summary = {
            "experiment": self._experiment.name,
            "status": str(ExperimentStatus.COMPLETED),
            "metric": self._job.objective.name,
            **found,
            "trials": self._progress.counts(),
            "closed_form": solved_heads(self._progress, self._job.data.modality),
            **way_of(self._experiment.journal_file, self._progress),
            "retrained": sum(trial.is_retrained for trial in self._progress.trials.values()),
            **self._search_summary(),
            **savings(self._job, self._progress),
            "seconds": round(self._clock.elapsed() - self._started, 2),
            "stages": {name: round(seconds, 2) for name, seconds in self._stages.seconds.items()},
            "tracking_uri": redact(target.uri),
            "experiment_dir": str(self._experiment.directory),
        }
        write_json(self._experiment.leaderboard_file, rows)
        write_text(self._experiment.leaderboard_file.with_suffix(".csv"), as_csv(rows))
        self._close_relay()
        self._end(ExperimentStatus.COMPLETED, "")
        summary["tracking_complete"] = self._relay is not None and self._relay.drain(DRAIN_SECONDS, self._tell_waiting)
        write_json(self._experiment.result_file, summary)
        send(self._experiment.directory)
        return Result(summary, rows)

    def _close_relay(self) -> None:
        """Before the last record: nothing may come behind that."""
        if self._relay is not None:
            self._relay.close()

    def _tell_waiting(self, what: str) -> None:
        """To whoever looks on; the journal is complete already."""
        for listener in self._listeners:
            listener(events.ResourcesAwaited(what, time=self._clock.now()))

    def _search_summary(self) -> dict[str, Any]:
        progress, budget = self._progress, self._job.search.budget
        phases = [
            {"scheduler": phase.scheduler, "trials": len(mine), "best": progress.score(mine[0]) if mine else None}
            for index, phase in sorted(progress.phases.items())
            for mine in [progress.of_phase(index)]
        ]
        return {
            "exploits": sum(one.donor != one.trial for one in progress.exploits),
            "phases": phases,
            "budget": {
                "asked_s": None if budget.minutes is None else budget.minutes * 60,
                "used_s": round(progress.spent_before + self._clock.elapsed() - self._started, 2),
                "stopped_by": progress.search_ended.by if progress.search_ended else None,
            },
        }

    def _nodes(self, fitted: Output) -> set[str]:
        """The distinct nodes that trained."""
        return {node for trial in self._progress.trials.values() for node in trial.nodes} | set(fitted.get("nodes", ()))

    def _end(self, status: ExperimentStatus, detail: str) -> None:
        seconds = self._clock.elapsed() - self._started
        self._journal.append(events.ExperimentFinished(status, seconds, detail.splitlines()[0] if detail else ""))


def _has(key: str) -> Callable[[Output], bool]:
    return lambda output: is_there(located(output[key]))

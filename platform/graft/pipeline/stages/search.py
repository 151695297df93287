"""The search stage: its phases one after the other, each a scheduler and a searcher on Ray Tune."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from graft.core.clock import Clock
from graft.core.errors import Interrupted
from graft.core.heartbeat import Board
from graft.core.storage import write_json
from graft.data.dataset import Dataset
from graft.experiments.budget import cost_end, search_end
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.experiments.replay import read_schedule
from graft.experiments.retention import Kept, Retention
from graft.journal import events
from graft.journal.events import RecommendationsMade, SearchEnded
from graft.journal.journal import Journal
from graft.learner.checkpoints import CheckpointStore
from graft.learner.cross_validation.folds import folds_of
from graft.learner.materialise import materialise
from graft.learner.protocol import LearnerFactory
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import TrainingData, training_data_of
from graft.learner.trial import TrialPayload
from graft.meta.recommend.head_order import First
from graft.pipeline.context import RunContext
from graft.pipeline.memory.asked import Asking
from graft.pipeline.memory.first import first_of
from graft.pipeline.memory.recommending import Samples, recommend
from graft.pipeline.memory.screening import Screener
from graft.pipeline.proposing import Proposing
from graft.pipeline.publishing import importance_of
from graft.pipeline.recorder import Recorder, changed_node
from graft.pipeline.stages.ending import EndOf, FirstCause, end_of_search
from graft.pipeline.stages.finals import estimate_finalists
from graft.pipeline.stages.in_time import InTime, SearchTime
from graft.pipeline.stages.runner import Output
from graft.pipeline.stages.trial_runner import TrialRunner, shape_of, trial_runner
from graft.pipeline.task_memory.entry import task_entry
from graft.pipeline.watchers import Interrupt, graceful_interrupt, tell_what_is_awaited
from graft.search.conductor import Conductor
from graft.search.protocol import Allowance, CheckpointEpochs, Proposer, Scheduler
from graft.search.schedulers.build import build_scheduler
from graft.search.schedulers.replay import Replay
from graft.search.tune_bridge import Places
from graft.search.tuner import Execution, run_search
from graft.spec.job import Job
from graft.spec.messages.counting import counted
from graft.spec.search.phases import Phase
from graft.workers.allocation import Allocation
from graft.workers.end_process import end_process
from graft.workers.groups.shape import waiting_for
from graft.workers.hang_watch import watch_for_hangs
from graft.workers.nodes.judge import NodeNews, NodeState
from graft.workers.nodes.watch import watch_nodes

# Trials whose best weights are kept at least if they, or their answers, are to be averaged.
KEPT_FOR_SOUP, KEPT_FOR_ENSEMBLE = 5, 12


def run_search_stage(run: RunContext, dataset: Dataset) -> Output:
    """Ray Tune tries the strategies, phase after phase.

    Raises:
        Interrupted: the user pressed Ctrl-C.
        ResourceError: the budget was spent before the search could begin.
        TrialError: no trial got as far as a score.
    """
    run.run_clock.require_time_to_search()
    feature_cache = run.feature_cache(dataset)
    if feature_cache is not None:
        materialise(feature_cache, run.job, dataset)
    data = training_data_of(run.job, dataset, run.run_clock.allocation.num_threads, feature_cache=feature_cache)
    with graceful_interrupt() as interrupt:
        stage = SearchStage(
            experiment=run.experiment,
            job=run.job,
            journal=run.journal,
            progress=run.progress,
            clock=run.clock,
            allocation=run.run_clock.allocation,
            factory=SupervisedFactory(_of_trials(run, dataset, data)),
            history=run.history,
            end_of_search=_end_of_search(run, interrupt, dataset),
            phase_seconds=lambda phase: run.run_clock.seconds_for_phase(phase, dataset),
            allowance=None if run.experiment.replay_file.exists() else run.run_clock.allowance(dataset),
            time=SearchTime.of(run.run_clock, dataset),
            recommend=lambda phase: recommend(
                run.job, run.home, phase.index, run.clock.now(), _samples(run, dataset, phase)
            ),
        )
        stage.run()
    estimate_finalists(run, dataset, data)
    chosen = run.winner()
    winner = chosen.trial
    write_json(run.experiment.schedule_file, run.schedule(winner).to_dict())
    run.journal.append(importance_of(run.experiment.journal_file, run.job))
    run.journal.append(events.WinnerChosen(winner.trial, chosen.reason))
    return {"winner": winner.trial, "summary": f"{winner.trial} {winner.best_label}: {chosen.reason}"}


def _samples(run: RunContext, dataset: Dataset, phase: Phase) -> Samples:
    screener = Screener(run, dataset)
    entry = partial(task_entry, run.job, dataset, run.home)
    slots = run.run_clock.allocation.concurrent
    first = first_of(run.job, dataset.counts, slots) if slots == 1 else First()
    return Samples(entry, lambda known: screener.scores(phase.index, known), first)


def _of_trials(run: RunContext, dataset: Dataset, data: TrainingData) -> TrainingData:
    """What trials are trained on, with the folds where each of them is scored by folds."""
    evaluation = run.job.search.evaluation
    return replace(data, folds=folds_of(evaluation, data)) if evaluation.is_of_all else data


def _end_of_search(run: RunContext, interrupt: Interrupt, dataset: Dataset) -> EndOf:
    search, run_clock, progress = run.job.search, run.run_clock, run.progress

    def is_spent() -> SearchEnded | None:
        reserve = run_clock.reserve(dataset)
        ended = search_end(run_clock.deadline, search.budget, run.job.objective, progress, run_clock.spent, reserve)
        if ended is not None or not run.job.resources.price.node_hour:
            return ended
        return cost_end(search.budget, progress.nodes_counted, reserve.after(progress.tally.leader, progress.epochs))

    return end_of_search(interrupt, is_spent, run_clock.clock)


@dataclass(frozen=True)
class SearchStage:
    """What all phases share.

    Attributes:
        factory: makes the learners of trials.
        history: what earlier runs of this experiment have done.
        end_of_search: asked all the time; a reason ends the search with what is there.
        phase_seconds: how long a phase may take; None is no limit.
        allowance: by which trials plan how long they train; None if all train what they are told to.
        time: that trials which plan it have; None likewise.
        places: which nodes train which trial.
        recommend: what earlier tasks say of a phase; asked once for each in which nothing was drawn yet.
    """

    experiment: Experiment
    job: Job
    journal: Journal
    progress: Progress
    clock: Clock
    allocation: Allocation
    factory: LearnerFactory
    history: SearchHistory
    end_of_search: EndOf
    phase_seconds: Callable[[int], float | None]
    places: Places = field(default_factory=Places)
    recommend: Callable[[Phase], RecommendationsMade | None] = lambda phase: None
    allowance: Allowance | None = None
    time: SearchTime | None = None

    def run(self) -> SearchEnded:
        """Run the phases that are not finished yet; return why the search ended.

        Raises:
            Interrupted: `end_of_search` said that the user wants it to end.
        """
        unsubscribe = self.journal.subscribe(self.history.apply), self.journal.subscribe(self._retention().apply)
        try:
            with (
                watch_for_hangs(self.experiment.heartbeats, self._note, end_process) as board,
                self._runner(board) as runner,
                watch_nodes(lambda news: self._tell_node(news, runner)),
                tell_what_is_awaited(self.journal, self._awaited, self._has_begun),
            ):
                ended = self._run_phases(runner)
        finally:
            for end in unsubscribe:
                end()
        if ended.by == "interrupt":
            raise Interrupted("interrupted during the search")
        self.journal.append(ended)
        return ended

    def _runner(self, board: Board) -> AbstractContextManager[TrialRunner]:
        payload = TrialPayload(self.factory, self._store, CheckpointEpochs(), board, self.allowance)
        return trial_runner(self.job, self.allocation, payload, self.experiment.tune, self._note)

    def _run_phases(self, runner: TrialRunner) -> SearchEnded:
        is_exhausted = False
        for phase in self.job.phases:
            if phase.index in self.progress.phases and self.progress.phases[phase.index].seconds is not None:
                continue
            ended, is_exhausted = self._run_phase(phase, runner)
            if ended is not None:
                return ended
        count = len(self.progress.trials)
        if is_exhausted:
            return SearchEnded("space", f"{counted(count, 'trial')}; the space holds no more strategies")
        return SearchEnded("trials", f"{counted(count, 'trial')} {'has' if count == 1 else 'have'} ended")

    def _run_phase(self, phase: Phase, runner: TrialRunner) -> tuple[SearchEnded | None, bool]:
        """Run one phase; why the search ended in it, and whether its space was used up."""
        started = self.clock.elapsed()
        replay = self._replay(phase)
        scheduler_kind, searcher_kind = ("replay",) * 2 if replay else (phase.scheduler.kind, phase.searcher.kind)
        self.journal.append(events.PhaseStarted(phase.index, scheduler_kind, searcher_kind, phase.epochs))
        search = self.job.search
        recommend = (lambda phase: None) if replay else self.recommend
        asking = Asking(self.journal, self.history, recommend, self.allocation.concurrent)
        asked, first = asking.of(phase, self.job.first if phase.index == 0 else ())
        recorder = Recorder(
            self.journal, self.progress, search.seed, self.clock, self.job.reach.varied(), asked.reason_of
        )
        scheduler = replay or build_scheduler(phase, self.job.objective, search.seed, self.job.strategy)
        proposing = Proposing(self.job, self.progress, self.history, self._store, asked, first)
        proposer: Proposer = replay or proposing.of(phase, lambda: conductor.history())
        in_time = None if replay or self.time is None else InTime(proposer, self.time)
        proposer = in_time or proposer
        conductor = Conductor(scheduler, proposer, recorder, self.job.objective, runner.slots)
        conductor.restore(list(self.history.of_phase(phase.index)))
        cause = FirstCause(self.end_of_search, self._phase_end(phase, started))
        execution = Execution(
            name=f"phase-{phase.index + 1}-{len(self.history.past)}",
            storage=self.experiment.tune,
            metric=self.job.objective,
            resources=runner.resources,
            slots=runner.slots,
            is_over=cause,
            is_starved=runner.is_starved,
            heartbeats=runner.board,
            places=self.places,
            labels=runner.labels,
            keep=runner.keep,
            pack=runner.pack,
        )
        run_search(execution, conductor, recorder, runner.function, runner.payload(_due(phase, scheduler)))
        if cause.ended is None or cause.ended.by == "phase":
            self._finish(phase, self.clock.elapsed() - started)
        is_over = cause.ended is not None and cause.ended.by != "phase"
        late = in_time.ended if in_time else None
        return cause.ended if is_over else late, proposer.is_exhausted

    @property
    def _store(self) -> CheckpointStore:
        return CheckpointStore(self.experiment.checkpoints)

    def _tell_node(self, news: NodeNews, runner: TrialRunner) -> None:
        """Journal it, unless it is no business of this search."""
        trials = tuple(sorted({*self.places.on(news.node), *runner.on(news.node)}))
        if trials or news.node in self.progress.nodes_told:
            many = f"its {len(trials)} trials" if trials else ""
            self.journal.append(changed_node(news, trials, f"its trial {trials[0]}" if len(trials) == 1 else many))
        if news.state is NodeState.BACK and not self.allocation.workers > 1:
            self.places.begin_again(trials)

    def _note(self, trial: str, text: str) -> None:
        self.journal.append(events.TrialNoted(trial, text))

    def _awaited(self) -> str:
        return waiting_for(shape_of(self.allocation), 1)

    def _has_begun(self) -> bool:
        return any(trial.nodes for trial in self.progress.trials.values())

    def _finish(self, phase: Phase, seconds: float) -> None:
        mine = self.progress.of_phase(phase.index)
        best = next((trial for trial in mine if trial.best_epoch), None)
        score = self.progress.score(best) if best else None
        name = best.trial if best else None
        self.journal.append(events.PhaseFinished(phase.index, len(mine), score, name, seconds))

    def _phase_end(self, phase: Phase, started: float) -> EndOf:
        """When the phase has had its share of the time, so that those after it get theirs."""
        limit = self.phase_seconds(phase.index)

        def end() -> SearchEnded | None:
            if limit is None or self.clock.elapsed() - started < limit:
                return None
            return SearchEnded("phase", f"phase {phase.index + 1} has had its share of the time")

        return end

    def _replay(self, phase: Phase) -> Replay | None:
        """What takes the place of scheduler and searcher when a schedule is replayed."""
        if not self.experiment.replay_file.exists():
            return None
        schedule = read_schedule(self.experiment.replay_file).scaled(phase.epochs)
        return Replay(schedule, phase.index, has_begun=bool(self.history.proposed([phase.index])))

    def _retention(self) -> Retention:
        feeding = frozenset(phase.index for phase in self.job.phases if phase.feeds_next)
        fit = self.job.training.fit
        for_soup = 1 if fit.soup == "none" else KEPT_FOR_SOUP
        kept = Kept.of(self.job.keep, max(for_soup, 1 if fit.ensemble == "off" else KEPT_FOR_ENSEMBLE))
        return Retention(self._store, self.progress, kept, feeding, self.history.past)


def _due(phase: Phase, scheduler: Scheduler) -> CheckpointEpochs:
    """What the scheduler may ask for, and at the end of the phase what the next one may."""
    last = {phase.epochs} if phase.feeds_next else set()
    return replace(scheduler.checkpoints, at=scheduler.checkpoints.at | last)

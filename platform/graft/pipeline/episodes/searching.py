"""Meta-training as a search: trials on Ray Tune, each a meta-training, judged on tasks of held-out classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graft.core.clock import Clock, SystemClock
from graft.core.errors import Interrupted, TrialError
from graft.experiments.budget import NOTHING_AFTER, Deadline, search_end
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.choice import choose
from graft.journal import events
from graft.journal.events import SearchEnded
from graft.journal.journal import Journal, read
from graft.learner.checkpoints import CheckpointStore
from graft.pipeline.episodes.training import MetaFactory, OnReport, Trained, tasks_of_epoch
from graft.pipeline.publishing import importance_of
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.ending import EndOf, end_of_search
from graft.pipeline.stages.search import SearchStage
from graft.pipeline.watchers import Interrupt, graceful_interrupt
from graft.spec.job import Job
from graft.spec.meta.search import MetaSearchSpec
from graft.spec.meta.search_job import search_job
from graft.spec.search.phases import total_trials
from graft.spec.strategy import Strategy
from graft.workers.allocation import allocate


@dataclass(frozen=True)
class MetaSearch:
    """A search over meta-trainings; run again after a break, it goes on from its journal.

    Attributes:
        factory: makes the learners of its trials.
        directory: of the meta-training.
        journal: of it.
        on_report: told of epochs.
    """

    factory: MetaFactory
    directory: Path
    journal: Journal
    on_report: OnReport

    def run(self) -> Trained:
        """Search, and choose the winner by its best epoch on tasks of the validation classes.

        Raises:
            Interrupted: the user pressed Ctrl-C.
            TrialError: no trial got as far as a score.
            ResourceError: a trial asks for more than there is.
        """
        job = search_job(self.factory.job)
        progress, history = Progress(job.objective, job.epochs), SearchHistory(job.objective)
        for _, event in read(self.journal.path):
            progress.apply(event)
            history.apply(event)
        with self._told(progress):
            if progress.search_ended is None:
                self._search(job, progress, history)
            return self._winner(job, progress)

    def _search(self, job: Job, progress: Progress, history: SearchHistory) -> None:
        clock = SystemClock()
        with ray_session(self.directory / "ray-logs") as there, graceful_interrupt() as interrupt:
            allocation = allocate(job.resources, there, total_trials(job.phases))
            stage = SearchStage(
                experiment=Experiment(self.directory),
                job=job,
                journal=self.journal,
                progress=progress,
                clock=clock,
                allocation=allocation,
                factory=replace(self.factory, num_threads=allocation.num_threads),
                history=history,
                end_of_search=self._end_of_search(job, progress, interrupt, clock),
                phase_seconds=lambda phase: None,
            )
            try:
                stage.run()
            except Interrupted as error:
                raise Interrupted(f"{error}; the same command goes on") from error
        self.journal.append(importance_of(self.journal.path, job))

    def _end_of_search(self, job: Job, progress: Progress, interrupt: Interrupt, clock: Clock) -> EndOf:
        """The minutes of a job are those of its trials: what comes after them is not counted."""
        minutes = (self.factory.job.search or MetaSearchSpec()).budget.minutes
        deadline = None if minutes is None else Deadline(minutes * 60, "minutes")
        before, began = progress.spent, clock.elapsed()

        def is_spent() -> SearchEnded | None:
            spent = before + clock.elapsed() - began
            return search_end(deadline, job.search.budget, job.objective, progress, spent, NOTHING_AFTER)

        return end_of_search(interrupt, is_spent, clock)

    def _winner(self, job: Job, progress: Progress) -> Trained:
        if not any(one.best_epoch for one in progress.trials.values()):
            first = next(iter(progress.trials.values()), None)
            told = f"the first says: {first.reason}" if first else "none was started; raise search.budget"
            raise TrialError(f"none of {len(progress.trials)} meta-trainings got a score; {told}")
        chosen = choose(progress)
        winner, notes = chosen.trial, list[str]()
        best = CheckpointStore(self.directory / "checkpoints").best(winner.trial, notes.append)
        if best is None:
            why = f" ({'; '.join(notes)})" if notes else ""
            told = f"the weights of {winner.trial}, the best meta-training, are gone{why}"
            raise TrialError(f"{told}; delete {self.directory}, and the same command begins anew")
        if progress.winner != winner.trial:
            self.journal.append(events.WinnerChosen(winner.trial, chosen.reason))
        trials = [_plainly(one, progress.score(one)) for one in progress.ranked()]
        return Trained(_strategy_of(winner), best.part("best"), self._tasks(progress), trials)

    def _tasks(self, progress: Progress) -> int:
        """Of all trials; what one had copied from another is counted with that one."""
        every = progress.trials.values()
        return sum(len(one.epoch_seconds) * tasks_of_epoch(self.factory.job, _strategy_of(one)) for one in every)

    @contextmanager
    def _told(self, progress: Progress) -> Iterator[None]:
        def tell(event: events.Event) -> None:
            progress.apply(event)
            if isinstance(event, events.TrialReported):
                self.on_report(event.trial, event.epoch, event.metrics)

        unsubscribe = self.journal.subscribe(tell)
        try:
            yield
        finally:
            unsubscribe()


def _strategy_of(trial: TrialProgress) -> Strategy:
    """What its best epoch was trained under."""
    return Strategy.read_stored(trial.best_strategy or trial.strategy)


def _plainly(trial: TrialProgress, score: float | None) -> dict[str, Any]:
    told = trial.best_label or trial.label
    return {"trial": trial.trial, "strategy": told, "accuracy": score, "epochs": trial.epoch, "status": trial.status}

"""The fit stage: train the winner's schedule anew on all it may see, or take weights that the search has left."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graft.core.heartbeat import read_heartbeats
from graft.data.dataset import Dataset
from graft.experiments.budget import MIN_FIT_SHARE, fit_epochs, fit_seconds
from graft.experiments.directory import Experiment
from graft.experiments.progress import TrialProgress
from graft.experiments.run_clock import RunClock
from graft.journal import events
from graft.journal.journal import Journal
from graft.learner.cached_features import FeatureCache
from graft.learner.checkpoints import CheckpointStore
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit, fit_in_group
from graft.learner.soup import make_soup
from graft.pipeline.context import RunContext
from graft.pipeline.recorder import changed_node
from graft.pipeline.stages.runner import Output
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job
from graft.spec.messages.counting import counted
from graft.spec.metrics import shown
from graft.spec.strategy import Strategy
from graft.workers.elastic import run_distributed
from graft.workers.end_process import end_process
from graft.workers.groups.shape import GroupShape
from graft.workers.hang_watch import watch_for_hangs
from graft.workers.nodes.judge import NodeNews, NodeState
from graft.workers.nodes.watch import watch_nodes
from graft.workers.remote import run_remote

# A process that dies is replaced, and goes on where it was.
ATTEMPTS = 3


def fitting_of(run: RunContext, dataset: Dataset, trial: TrialProgress, place: Path | None = None) -> "Fitting":
    """How a trial is fitted; its weights go to `place`, by default where the winner's go."""
    return Fitting(
        run.experiment,
        run.job,
        run.journal,
        run.run_clock,
        dataset,
        trial,
        run.schedule(trial),
        run.feature_cache(dataset),
        place,
    )


def fit_detail(run: RunContext, dataset: Dataset, winner: TrialProgress) -> str:
    """What the fit is about to do, for the display."""
    if run.job.training.final_on == "train":
        return ""
    epochs = run.run_clock.fit_epochs(dataset, winner)
    seconds = fit_seconds(winner, run.job.epochs, run.run_clock.fit_scale(dataset))
    seconds *= epochs / fit_epochs(winner, run.job.epochs)
    return f"{counted(epochs, 'epoch')}, about {seconds:.0f} s" if epochs else ""


@dataclass(frozen=True)
class Fitting:
    """The fit of one winner.

    Attributes:
        schedule: what the winner was trained under.
        feature_cache: where features of frozen blocks are.
        place: directory of the weights that are made.
        came_back: set when a node that was away answers again.
    """

    experiment: Experiment
    job: Job
    journal: Journal
    run_clock: RunClock
    dataset: Dataset
    winner: TrialProgress
    schedule: Schedule
    feature_cache: FeatureCache | None = None
    place: Path | None = None
    came_back: threading.Event = field(default_factory=threading.Event)

    @property
    def final_weights(self) -> Path:
        """Where weights go that the search has not left."""
        return (self.place or self.experiment.final) / "weights.safetensors"

    def run(self) -> Output:
        """Do it; `weights` names the file, `summary` says what was done."""
        kept = self._best_weights(self.winner)
        if self.job.training.final_on == "train":
            return self._take(kept) if kept else self._train_anew()
        epochs = self.run_clock.fit_epochs(self.dataset, self.winner)
        trained = self._train(epochs) if epochs else None
        if trained is not None and not self._is_too_short(trained["epochs"]):
            return trained
        if kept is None:
            return trained or self._train(1)
        reason = "no time for a fit on all rows"
        if trained is not None:
            done = f"{trained['epochs']} of {epochs} epochs"
            reason = f"the fit on all rows was slower than planned, and stopped after {done}"
        taken = self._take(kept)
        return {**taken, "summary": f"{reason}: {taken['summary']}"}

    def _best_weights(self, trial: TrialProgress) -> Path | None:
        progress = self.run_clock.progress
        store = CheckpointStore(self.experiment.checkpoints)
        return store.best_weights(trial.trial, progress.metric, progress.score(trial))

    def _train_anew(self) -> Output:
        """Train the winner on the training rows to its best epoch again: the disk did not take the weights of that."""
        trained = self._train(self.schedule.epochs, self.winner.best_epoch)
        lost = f"weights of {self.winner.trial}, epoch {self.winner.best_epoch}, are not on the disk"
        return {**trained, "summary": f"{lost}, so it is trained anew: {trained['summary']}"}

    def _is_too_short(self, epochs: int) -> bool:
        """Whether a fit that was slower than planned has had so few epochs that the search's weights are better."""
        return epochs < fit_epochs(self.winner, self.job.epochs) * MIN_FIT_SHARE

    def _train(self, epochs: int, last_epoch: int | None = None) -> Output:
        wanted = last_epoch or fit_epochs(self.winner, self.job.epochs)
        model = self._model(self.schedule.scaled(epochs))
        run_clock = self.run_clock
        task = FitTask(
            model,
            run_clock.fit_threads,
            run_clock.fit_workers,
            run_clock.seconds_for_fit(self.dataset),
            self.feature_cache,
            last_epoch=last_epoch,
        )
        with (
            watch_for_hangs(self.experiment.heartbeats, self._note, end_process) as board,
            watch_nodes(self._tell_node),
        ):
            done, nodes = self._run(replace(task, heartbeats=board))
        workers = f" by {task.workers} workers" if task.workers > 1 else ""
        cut = f" instead of {wanted}, to keep the budget" if done["epochs"] < wanted else ""
        summary = f"{done['epochs']} epochs on {done['samples']} samples{workers}{cut}"
        return {"weights": str(self.final_weights), "summary": summary, "nodes": list(nodes), **done}

    def _tell_node(self, news: NodeNews) -> None:
        """Journal it, if a process of the fit has shown itself there."""
        hosts = {beat.process.machine.host for _, beat in read_heartbeats(self.experiment.heartbeats)}
        if news.host in hosts:
            self.journal.append(changed_node(news, (), "the final fit"))
            if news.state is NodeState.BACK:
                self.came_back.set()

    def _was_away(self) -> bool:
        """Whether a node of the fit has come back that was away; said once."""
        is_set = self.came_back.is_set()
        self.came_back.clear()
        return is_set

    def _note(self, work: str, text: str) -> None:
        self.journal.append(events.TrialNoted(self.winner.trial, f"{work}: {text}"))

    def _model(self, schedule: Schedule) -> FinalModel:
        return FinalModel(self.job, self.dataset.directory, schedule, self.final_weights, self.dataset.decoder)

    def _run(self, task: FitTask) -> tuple[dict[str, Any], Sequence[str]]:
        share = self.run_clock.fit
        if task.workers == 1:
            cpus, gpus = task.num_threads, share.gpus_per_worker
            done = run_remote(
                fit,
                task,
                num_cpus=cpus,
                num_gpus=gpus,
                attempts=ATTEMPTS,
                labels=share.labels,
                was_away=self._was_away,
            )
            return done, ()
        shape = GroupShape(
            task.workers, share.cpus_per_worker, share.gpus_per_worker, self.job.resources.placement, share.gpu_type
        )
        least = self.job.training.fit.min_workers
        shared = run_distributed(fit_in_group, (task,), shape, self.experiment.tune, least, ATTEMPTS)
        return shared.value, shared.nodes

    def _take(self, best: Path) -> Output:
        """The winner's weights, or the average of the best trials' if that is better."""
        kind = self.job.training.fit.soup
        taken = f"weights of {self.winner.trial}, epoch {self.winner.best_epoch}"
        alike = (one for one in self.run_clock.progress.ranked() if one.best_epoch and self._is_alike(one))
        ingredients = [file for file in map(self._best_weights, alike) if file]
        if kind == "none" or len(ingredients) < 2:
            return {"weights": str(best), "summary": taken}
        model = self._model(self.schedule)
        threads, gpus = self.run_clock.allocation.all_threads, self.run_clock.allocation.gpus_per_worker
        made = run_remote(make_soup, model, ingredients, kind, threads, num_cpus=threads, num_gpus=gpus)
        values = f"{shown(made['alone'])} alone, {shown(made['score'])} as {kind} soup of {made['used']}"
        if made["is_better"]:
            return {"weights": str(self.final_weights), "summary": f"{taken}: {values}", "soup": made}
        return {"weights": str(best), "summary": f"{taken}: {values}, which is not kept", "soup": made}

    def _is_alike(self, trial: TrialProgress) -> bool:
        """Whether its weights can be averaged with the winner's."""
        mine, other = (Strategy.read_stored(one.best_strategy) for one in (self.winner, trial))
        return mine.architecture() == other.architecture() and mine.init == other.init

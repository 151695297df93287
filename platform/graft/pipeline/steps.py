"""The work of each stage. Every step returns plain JSON that the later ones, also of a resumed run, need of it."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from graft.core.clock import Clock
from graft.core.errors import ArtifactError, TrialError
from graft.core.storage import Home, write_json
from graft.data.dataset import Dataset, open_dataset
from graft.data.feature_store.eviction import VARIABLE
from graft.data.feature_store.fingerprint import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.data.ingest import ingest
from graft.data.square import StoredForm
from graft.pipeline.budget import fit_epochs, fit_seconds, search_end
from graft.pipeline.checkpoints import CheckpointStore
from graft.pipeline.experiment import Experiment
from graft.pipeline.final import FinalModel, evaluate, export, lesson_of
from graft.pipeline.fitting import Fitting
from graft.pipeline.history import SearchHistory, best_of
from graft.pipeline.interrupt import Interrupt, graceful_interrupt
from graft.pipeline.materialise import materialise
from graft.pipeline.pace import Pace
from graft.pipeline.phases import SearchStage
from graft.pipeline.prefix_plan import plan_prefixes
from graft.pipeline.progress import Progress, TrialProgress
from graft.pipeline.replay import read_schedule
from graft.pipeline.shelf import Shelf
from graft.pipeline.stages import Output
from graft.pipeline.tracking import importance_of, register_bundle, target_of
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job
from graft.tracking import events
from graft.tracking.events import SearchEnded
from graft.tracking.journal import Journal
from graft.training.worker import run_remote

# Unreadable files named on the terminal; the journal and MLflow name them all.
NAMED_FILES = 3


@dataclass(frozen=True)
class Steps:
    """What the stages of one run share."""

    experiment: Experiment
    home: Home
    job: Job
    journal: Journal
    progress: Progress
    clock: Clock
    history: SearchHistory
    pace: Pace

    def ingest(self) -> Output:
        """Ray Data reads, checks and resizes the samples once."""
        dataset = ingest(self.job.data, stored_form(self.job), self.home.datasets)
        quarantine = tuple({"path": one.path, "reason": one.reason} for one in dataset.quarantine)
        self.journal.append(
            events.DatasetReady(
                dataset.fingerprint,
                dataset.source,
                dataset.counts,
                quarantine,
                dataset.classes,
                dataset.cross_split_duplicates,
            )
        )
        return {"directory": str(dataset.directory), "summary": _describe(dataset)}

    def search(self, dataset: Dataset) -> Output:
        """Ray Tune tries the strategies.

        Raises:
            Interrupted: the user pressed Ctrl-C.
            ResourceError: the budget was spent before the search could begin.
            TrialError: no trial got as far as a score.
        """
        self.pace.require_time_to_search()
        shelf = self.shelf(dataset)
        if shelf is not None:
            materialise(shelf, self.job, dataset)
        with graceful_interrupt() as interrupt:
            stage = SearchStage(
                experiment=self.experiment,
                job=self.job,
                journal=self.journal,
                progress=self.progress,
                clock=self.clock,
                share=self.pace.share,
                lesson=lesson_of(self.job, dataset, self.pace.share.num_threads, in_memory=True, shelf=shelf),
                history=self.history,
                end_of_search=lambda: self._end_of_search(interrupt, dataset),
                phase_seconds=lambda phase: self.pace.seconds_for_phase(phase, dataset),
            )
            stage.run()
        winner = self.winner()
        write_json(self.experiment.schedule_file, self._schedule(winner).to_dict())
        self.journal.append(importance_of(self.experiment.journal_file, self.job))
        self.journal.append(events.WinnerChosen(winner.trial, self._why(winner)))
        return {"winner": winner.trial, "summary": f"{winner.trial} {winner.best_label}: {self._why(winner)}"}

    def fit(self, dataset: Dataset, winner: TrialProgress) -> Output:
        """Train the winner on all it may see; or take weights of the search, if the job wants that."""
        shelf = self.shelf(dataset)
        return Fitting(self.experiment, self.job, self.pace, dataset, winner, self._schedule(winner), shelf).run()

    def fit_detail(self, dataset: Dataset, winner: TrialProgress) -> str:
        """What the fit is about to do, for the display."""
        if self.job.training.final_on == "train":
            return ""
        epochs = self.pace.fit_epochs(dataset, winner)
        seconds = fit_seconds(winner, self.job.training.epochs, self.pace.fit_scale(dataset))
        seconds *= epochs / fit_epochs(winner, self.job.training.epochs)
        return f"{epochs} epochs, about {seconds:.0f} s" if epochs else ""

    def evaluate(self, dataset: Dataset, winner: TrialProgress, weights: Path) -> Output:
        """Score the final model on the test rows, which nothing has seen before."""
        threads = self.pace.share.all_threads
        model = self._final(dataset, winner, weights)
        gpus, pictures = self.pace.share.gpus_per_worker, self.experiment.directory
        report = run_remote(evaluate, model, threads, pictures, num_cpus=threads, num_gpus=gpus)
        write_json(self.experiment.report_file, report)
        intervals = {name: (one["low"], one["high"]) for name, one in report["intervals"].items()}
        self.journal.append(events.Evaluated(report["metrics"], intervals))
        name = self.job.search.metric
        low, high = intervals[name]
        summary = f"test {name} {report['metrics'][name]:.4f} (95 % interval {low:.4f} to {high:.4f})"
        return {"metrics": report["metrics"], "intervals": intervals, "summary": summary}

    def export(self, dataset: Dataset, winner: TrialProgress, weights: Path, metrics: dict[str, float]) -> Output:
        """Write the bundle."""
        model = self._final(dataset, winner, weights)
        # A bundle that is there now was left by a run that died before it could say so.
        shutil.rmtree(self.experiment.bundle, ignore_errors=True)
        done = run_remote(export, model, self.experiment.bundle, metrics)
        return {**done, "summary": f"{self.experiment.bundle} ({done['bytes'] / 1e6:.1f} MB)"}

    def register(self) -> Output:
        """Make the bundle the champion in MLflow."""
        target = target_of(self.home, self.job)
        uri, version = register_bundle(self.experiment, target, self.experiment.bundle, self.job.model_name)
        self.journal.append(events.ModelRegistered(uri, version))
        champion = f"models:/{self.job.model_name}@champion"
        return {"model_uri": champion, "version": version, "summary": f"{champion} is version {version}"}

    def export_best_so_far(self, dataset: Dataset) -> Path | None:
        """A bundle of the best trial up to now, for a run that is being cut short; None if there is none yet."""
        best_file = CheckpointStore(self.experiment.checkpoints).best_file
        scored = [trial for trial in self.progress.ranked() if trial.best_epoch and best_file(trial.trial).exists()]
        if not scored:
            return None
        bundle = self.experiment.directory / f"best-so-far-{scored[0].trial}"
        shutil.rmtree(bundle, ignore_errors=True)
        model = self._final(dataset, scored[0], best_file(scored[0].trial))
        run_remote(export, model, bundle, dict(scored[0].best))
        return bundle

    def shelf(self, dataset: Dataset) -> Shelf | None:
        """Where features of frozen blocks are kept; None if no blocks are worth it, or ``GRAFT_CACHE_GB`` is 0."""
        wanted = plan_prefixes(self.job).wanted
        if not wanted or os.environ.get(VARIABLE) == "0":
            return None
        return Shelf(FeatureStore(self.home.features), data_fingerprint(dataset), wanted)

    def winner(self) -> TrialProgress:
        """The best trial.

        Raises:
            TrialError: none has a score.
        """
        best = next(iter(self.progress.ranked()), None)
        if best is None:
            raise TrialError("no trial was started before the budget was spent; raise search.budget")
        if not best.best_epoch:
            raise TrialError(f"none of {len(self.progress.trials)} trials got a score; the first says: {best.reason}")
        return best

    def _why(self, winner: TrialProgress) -> str:
        score = self.progress.score(winner)
        scored = sum(1 for trial in self.progress.trials.values() if trial.best_epoch)
        return f"best validation {self.job.search.metric} {score:.4f} of {scored} trials"

    def _end_of_search(self, interrupt: Interrupt, dataset: Dataset) -> SearchEnded | None:
        if interrupt.is_requested:
            return SearchEnded("interrupt")
        search, pace = self.job.search, self.pace
        return search_end(
            pace.deadline, search.budget, search.objective, self.progress, pace.spent, pace.reserve(dataset)
        )

    def _schedule(self, winner: TrialProgress) -> Schedule:
        """What the winner's weights were trained under, to the end of the training it was made for.

        A schedule that is replayed was found by another search: it is trained to its end, wherever the best epoch was.
        """
        if self.experiment.replay_file.exists():
            return read_schedule(self.experiment.replay_file).scaled(self.job.training.epochs)
        best = best_of(winner)
        lineage = self.history.lineage(self.progress)
        *before, last = lineage.schedule_of(best.trial, best.segment, best.epoch)
        return Schedule((*before, replace(last, to_epoch=max(self.job.training.epochs, last.to_epoch))))

    def _final(self, dataset: Dataset, trial: TrialProgress, weights: Path) -> FinalModel:
        return FinalModel(self.job, dataset.directory, self._schedule(trial), weights)


def stored_form(job: Job) -> StoredForm:
    """How a job's images are kept: as large as the largest resolution of its space, grey if the source is."""
    return StoredForm(max(job.strategy.values("resolution")), 3 if job.data.kind == "image_folder" else 1, "bicubic")


def is_dataset_there(output: Output) -> bool:
    """Whether the dataset an earlier run left is still in the cache."""
    try:
        open_dataset(Path(output["directory"]))
    except ArtifactError:
        return False
    return True


def _describe(dataset: Dataset) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in dataset.counts.items())
    parts = [f"{counts} images, {len(dataset.classes)} classes"]
    if dataset.quarantine:
        named = ", ".join(one.path for one in dataset.quarantine[:NAMED_FILES])
        rest = len(dataset.quarantine) - NAMED_FILES
        parts.append(
            f"{len(dataset.quarantine)} unreadable left out: {named}" + (f" and {rest} more" if rest > 0 else "")
        )
    if dataset.cross_split_duplicates:
        parts.append(f"{dataset.cross_split_duplicates} images are in more than one split")
    return "; ".join(parts)

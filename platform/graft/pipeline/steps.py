"""The work of each stage. Every step returns plain JSON that the later ones, also of a resumed run, need of it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graft.core.clock import Clock
from graft.core.errors import ArtifactError, Interrupted, TrialError
from graft.core.storage import Home, write_json
from graft.data.dataset import Dataset, open_dataset
from graft.data.ingest import ingest
from graft.data.square import StoredForm
from graft.models.load import describe_backbone
from graft.pipeline.budget import TimeBudget, fit_epochs, fit_seconds
from graft.pipeline.experiment import Experiment
from graft.pipeline.final import FinalModel, evaluate, export, fit, lesson_of
from graft.pipeline.interrupt import graceful_interrupt
from graft.pipeline.learning import checkpoint_file
from graft.pipeline.progress import RUNNING, Progress, TrialProgress
from graft.pipeline.recorder import Recorder
from graft.pipeline.resources import TrialShare
from graft.pipeline.stages import Output
from graft.pipeline.tracking import register_bundle, target_of
from graft.pipeline.trial import TrialPayload, run_trial
from graft.search.proposer import RandomProposer
from graft.search.tuner import SearchRequest, run_search
from graft.spec.job import Job
from graft.spec.strategy import Strategy
from graft.tracking import events
from graft.tracking.journal import Journal
from graft.training.worker import run_remote

# How much of n times the CPUs is n times the speed, for the convolutions of small images.
THREAD_EFFICIENCY = 0.75
# Trials whose weights are kept: the best one, and one to fall back on.
KEPT_CHECKPOINTS = 2
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
    share: TrialShare
    budget: TimeBudget

    def ingest(self) -> Output:
        """Ray Data reads, checks and resizes the samples once."""
        dataset = ingest(self.job.data, stored_form(self.job), self.home.datasets)
        quarantine = tuple({"path": one.path, "reason": one.reason} for one in dataset.quarantine)
        self.journal.append(events.DatasetReady(dataset.fingerprint, dataset.source, dataset.counts, quarantine))
        return {"directory": str(dataset.directory), "summary": _describe(dataset)}

    def search(self, dataset: Dataset) -> Output:
        """Ray Tune tries the strategies.

        Raises:
            Interrupted: the user pressed Ctrl-C.
            TrialError: no trial got as far as a score.
        """
        recorder = Recorder(self.journal, self.job.search.objective, self.job.search.seed, self.clock)
        payload = TrialPayload(lesson_of(self.job, dataset, self.share.num_threads), self.experiment.checkpoints)
        scale = self._fit_scale(dataset)
        with graceful_interrupt() as interrupt:
            request = self._search_request(
                lambda: interrupt.is_requested or self.budget.search_is_over(self.progress, self.clock, scale)
            )
            unsubscribe = self.journal.subscribe(self._drop_losers)
            try:
                run_search(request, self._proposer(), run_trial, payload, recorder)
            finally:
                unsubscribe()
        if interrupt.is_requested:
            raise Interrupted("interrupted during the search")
        winner = self.winner()
        self.journal.append(events.WinnerChosen(winner.trial, self._why(winner)))
        return {"winner": winner.trial, "summary": f"{winner.trial} {winner.label}: {self._why(winner)}"}

    def fit(self, dataset: Dataset, winner: TrialProgress) -> Output:
        """Train the winner on all it may see; or take the trial's own weights, if the job wants that."""
        if self.job.training.final_on == "train":
            return {
                "weights": str(self._checkpoint(winner)),
                "summary": f"weights of {winner.trial}, epoch {winner.best_epoch}",
            }
        model = self._final(dataset, winner, self.experiment.directory / "final" / "weights.safetensors")
        epochs = fit_epochs(winner, self.job.training.epochs)
        threads = self._final_threads()
        done = run_remote(fit, model, epochs, threads, num_cpus=threads, num_gpus=self.share.gpus)
        return {
            "weights": str(model.weights),
            "summary": f"{done['epochs']} epochs on {done['samples']} images",
            **done,
        }

    def fit_detail(self, dataset: Dataset, winner: TrialProgress) -> str:
        """What the fit is about to do, for the display."""
        if self.job.training.final_on == "train":
            return ""
        seconds = fit_seconds(winner, self.job.training.epochs, self._fit_scale(dataset))
        return f"{fit_epochs(winner, self.job.training.epochs)} epochs, about {seconds:.0f} s"

    def evaluate(self, dataset: Dataset, winner: TrialProgress, weights: Path) -> Output:
        """Score the final model on the test rows, which nothing has seen before."""
        threads = self._final_threads()
        model = self._final(dataset, winner, weights)
        report = run_remote(evaluate, model, threads, num_cpus=threads, num_gpus=self.share.gpus)
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
        scored = [trial for trial in self.progress.ranked() if trial.best_epoch and self._checkpoint(trial).exists()]
        if not scored:
            return None
        bundle = self.experiment.directory / f"best-so-far-{scored[0].trial}"
        shutil.rmtree(bundle, ignore_errors=True)
        model = self._final(dataset, scored[0], self._checkpoint(scored[0]))
        run_remote(export, model, bundle, dict(scored[0].best))
        return bundle

    def winner(self) -> TrialProgress:
        """The best trial.

        Raises:
            TrialError: none has a score.
        """
        best = next(iter(self.progress.ranked()), None)
        if best is None:
            raise TrialError("no trial was started before the time was up; raise search.budget.minutes")
        if not best.best_epoch:
            raise TrialError(f"none of {len(self.progress.trials)} trials got a score; the first says: {best.reason}")
        return best

    def _search_request(self, is_over: Callable[[], bool]) -> SearchRequest:
        return SearchRequest(
            name="search",
            storage=self.experiment.tune,
            metric=self.job.search.objective,
            epochs=self.job.training.epochs,
            scheduler=self.job.search.scheduler,
            cpus=self.share.cpus,
            gpus=self.share.gpus,
            concurrent=self.share.concurrent,
            is_out_of_time=is_over,
        )

    def _proposer(self) -> RandomProposer:
        return RandomProposer(
            self.job.strategy,
            self.job.search.budget.trials,
            self.job.search.seed,
            num_blocks=lambda name: describe_backbone(name).num_blocks,
            done=self.progress.finished_keys(),
        )

    def _drop_losers(self, event: events.Event) -> None:
        """Delete the weights of a trial that has ended and is not among the best: nothing will ask for them again."""
        if not isinstance(event, events.TrialFinished):
            return
        ended = [trial for trial in self.progress.ranked() if trial.status != RUNNING]
        for trial in ended[KEPT_CHECKPOINTS:]:
            self._checkpoint(trial).unlink(missing_ok=True)

    def _why(self, winner: TrialProgress) -> str:
        score = self.progress.score(winner)
        scored = sum(1 for trial in self.progress.trials.values() if trial.best_epoch)
        return f"best validation {self.job.search.metric} {score:.4f} of {scored} trials"

    def _final(self, dataset: Dataset, trial: TrialProgress, weights: Path) -> FinalModel:
        return FinalModel(self.job, dataset.directory, Strategy.model_validate(trial.strategy), weights)

    def _final_threads(self) -> int:
        """The final stages have the machine to themselves."""
        return max(1, int(self.share.cpus * self.share.concurrent))

    def _fit_scale(self, dataset: Dataset) -> float:
        """Seconds an epoch of the final fit takes, over those of a trial: more rows, but all CPUs."""
        rows = dataset.counts["train"] + dataset.counts["validation"]
        return rows / dataset.counts["train"] / max(1.0, self.share.concurrent * THREAD_EFFICIENCY)

    def _checkpoint(self, trial: TrialProgress) -> Path:
        return checkpoint_file(self.experiment.checkpoints, trial.trial)


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

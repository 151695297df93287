"""One run of one method: graft's search stage on real training, and the test score of what it found."""

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from comparison.in_process import run_search
from comparison.methods import Sizes, job_of

from graft.core.clock import SystemClock
from graft.core.storage import Home
from graft.data.dataset import open_dataset
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import SearchEnded
from graft.journal.journal import Journal
from graft.learner.checkpoints import CheckpointStore
from graft.learner.ensemble.members import Member
from graft.learner.final_model import FinalModel
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import TrainingData, training_data_of
from graft.pipeline.stages.evaluate import evaluate
from graft.pipeline.stages.search import SearchStage
from graft.search.lineage import Lineage
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job
from graft.workers.allocation import Allocation


@dataclass(frozen=True)
class Task:
    """One run.

    Attributes:
        data: name of the data set, for the table.
        source: ``digits``, or a directory of IDX files.
        method: one of `comparison.methods.METHODS`.
        seed: of everything.
    """

    data: str
    source: str
    method: str
    seed: int
    sizes: Sizes

    @property
    def job(self) -> Job:
        """What a user would run."""
        return job_of(self.method, self.source, self.sizes, self.seed)

    @property
    def key(self) -> dict[str, Any]:
        """What tells its result from others."""
        return {"data": self.data, "method": self.method, "seed": self.seed, "sizes": asdict(self.sizes)}


def run(task: Task, dataset: Path, work: Path) -> dict[str, Any]:
    """Search, then score the best trial's weights on the test rows.

    Args:
        task: what to run.
        dataset: directory of its ingested data.
        work: where its checkpoints may lie while it runs.

    Returns:
        `Task.key`, and: ``values``, the validation accuracy of every epoch trained, in their order; ``validation``, the
        best of them; ``test``; ``trials``, ``exploits`` and ``seconds``.
    """
    torch.set_num_threads(1)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=work) as directory:
        experiment = Experiment.create(Home.find(Path(directory)), task.job)
        training_data = training_data_of(task.job, open_dataset(dataset), num_threads=1)
        progress, history, values = search(experiment, training_data, task.sizes)
        best = progress.ranked()[0]
        test = _test(experiment, dataset, history.lineage(progress))
        return {
            **task.key,
            "values": values,
            "validation": progress.score(best),
            "test": test,
            "trials": len(progress.trials),
            "exploits": len(progress.exploits),
            "seconds": time.perf_counter() - started,
        }


def search(
    experiment: Experiment, training_data: TrainingData, sizes: Sizes
) -> tuple[Progress, SearchHistory, list[float]]:
    """Run an experiment's search stage; also returns the metric of every epoch trained, in their order."""
    job = experiment.job()
    progress, values = Progress(job.objective, job.training.epochs), list[float]()
    history = SearchHistory(job.objective)

    def count(event: events.Event) -> None:
        if isinstance(event, events.TrialReported):
            values.append(event.metrics[f"val/{job.objective.name}"])

    def end_of_search() -> SearchEnded | None:
        return SearchEnded("epochs", f"{len(values)} are trained") if len(values) >= sizes.budget else None

    with Journal(experiment.journal_file) as journal:
        for listener in (progress.apply, count):
            journal.subscribe(listener)
        stage = SearchStage(
            experiment=experiment,
            job=job,
            journal=journal,
            progress=progress,
            clock=SystemClock(),
            allocation=Allocation(cpus=1, gpus=0, concurrent=sizes.slots),
            factory=SupervisedFactory(training_data),
            history=history,
            end_of_search=end_of_search,
            phase_seconds=lambda phase: None,
        )
        # The stage has no way to be given another executor; without Ray it must not ask what is waited for either.
        with mock.patch.multiple("graft.pipeline.stages.search", run_search=run_search, waiting_for=lambda *_: ""):
            stage.run()
    return progress, history, values


def _test(experiment: Experiment, dataset: Path, lineage: Lineage) -> float:
    """The metric of the best weights of the search on the test rows."""
    best, job = lineage.best, experiment.job()
    if best is None:
        raise RuntimeError(f"no trial of {experiment.name} has a score")
    schedule = Schedule(lineage.schedule_of(best.trial, best.segment, best.epoch))
    weights = CheckpointStore(experiment.checkpoints).best_file(best.trial)
    model = FinalModel(job, dataset, schedule, weights)
    report = evaluate([Member(model)], judged=(), num_threads=1, pictures=experiment.directory)
    return float(report["metrics"][job.objective.name])

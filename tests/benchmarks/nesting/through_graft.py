"""Variant (a): graft's search stage; trials of several workers, nested in Ray Tune, with the journal on."""

import time
from pathlib import Path

from nesting.request import Outcome, Request, main

from graft.core.clock import SystemClock
from graft.core.storage import Home
from graft.data.dataset import open_dataset
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.journal import Journal
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import training_data_of
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.search import SearchStage
from graft.workers.allocation import Allocation


def search(request: Request) -> Outcome:
    """Run the trials as a job's search stage does."""
    job = request.job()
    experiment = Experiment.create(Home.find(Path(request.work) / "home"), job)
    progress, epochs = Progress(job.objective, job.training.epochs), list[float]()

    def remember(event: events.Event) -> None:
        if isinstance(event, events.TrialReported):
            epochs.append(time.time() - event.seconds)

    with Journal(experiment.journal_file) as journal:
        for listener in (progress.apply, remember):
            journal.subscribe(listener)
        with ray_session():
            stage = SearchStage(
                experiment=experiment,
                job=job,
                journal=journal,
                progress=progress,
                clock=SystemClock(),
                allocation=Allocation(cpus=request.workers, gpus=0, concurrent=1, workers=request.workers),
                factory=SupervisedFactory(training_data_of(job, open_dataset(Path(request.dataset)), num_threads=1)),
                history=SearchHistory(job.objective),
                end_of_search=lambda: None,
                phase_seconds=lambda phase: None,
            )
            started = time.time()
            stage.run()
            ended = time.time()
    trials = list(progress.trials.values())
    return Outcome(
        seconds=ended - started,
        first_start=epochs[0] - started,
        training=sum(sum(trial.epoch_seconds) for trial in trials),
        scores={f"{trial.strategy['lr']:g}": progress.score(trial) or 0.0 for trial in trials},
    )


if __name__ == "__main__":
    main(search)

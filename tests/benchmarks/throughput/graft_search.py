"""Variant (a): graft's own search stage, with the fixed list in place of the random proposer.

Everything a real run has is on: the journal with its fsyncs, checkpoints of the best epochs, and the relay process that
carries the journal to MLflow beside the trials. What is left out is what the other variants do not have either:
ingest (the dataset is in the cache), the final fit, evaluation and export.
"""

import shutil
import time
from collections.abc import Callable

from throughput.candidates import CANDIDATES, space_for
from throughput.exchange import Outcome, Request, main

from graft.core.clock import SystemClock
from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.data.ingest import ingest
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.journal import Journal
from graft.learner.cached_features import FeatureCache
from graft.learner.checkpoints import CheckpointStore
from graft.learner.prefix_plan import plan_prefixes
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import TrainingData, training_data_of
from graft.learner.trial import TrialPayload, run_trial
from graft.pipeline.publishing import DRAIN_SECONDS
from graft.pipeline.ray_session import ray_session
from graft.pipeline.recorder import Recorder
from graft.pipeline.stages.ingest import ingestion_of
from graft.search.conductor import Conductor
from graft.search.protocol import CheckpointEpochs, Duplicate, Proposal
from graft.search.schedulers.build import build_scheduler
from graft.search.tuner import Execution, run_search
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.tracking.relay import start_relay
from graft.tracking.target import target_of


class FixedProposer:
    """Proposes a list, in its order."""

    is_exhausted = False

    def __init__(self, names: tuple[str, ...], epochs: int) -> None:
        chosen = [candidate for candidate in CANDIDATES if candidate.name in names]
        self._left = iter([Proposal(candidate.name, candidate.strategy(), epochs=epochs) for candidate in chosen])

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The next of the list; it holds no duplicate."""
        return next(self._left, None)


def benchmark_job(request: Request) -> Job:
    """The job that a user would write for this search; the proposer sets what its strategy leaves open."""
    return parse_job(
        {
            "version": 1,
            "name": "throughput",
            "data": request.data,
            "task": "classification",
            "strategy": space_for(request.data),
            "training": {"epochs": request.epochs},
            "search": {"scheduler": "none", "seed": request.seed, "budget": {"trials": len(request.names)}},
            "resources": {"cpus_per_worker": 1, "gpus_per_worker": 0, "concurrent_trials": request.lanes},
        }
    )


def search(request: Request) -> Outcome:
    """Run the list through graft, as a run does between ingest and final fit."""
    job, home = benchmark_job(request), Home.find(request.work / "home")
    if request.store == "cold":
        shutil.rmtree(home.features, ignore_errors=True)
    experiment = Experiment.create(home, job)
    progress = Progress(job.objective, job.training.epochs)
    with Journal(experiment.journal_file) as journal:
        journal.subscribe(progress.apply)
        journal.append(events.ExperimentStarted(experiment.name, experiment.name, job.model_dump(mode="json"), {}))
        relay = start_relay(experiment.directory, target_of(home, job))
        with ray_session():
            dataset = ingest(ingestion_of(job), home.datasets)
            started = time.perf_counter()
            feature_cache = None if request.store == "none" else _feature_cache(job, home, dataset)
            recorder = Recorder(journal, progress, job.search.seed, SystemClock())
            _run(
                request,
                experiment,
                training_data_of(job, dataset, num_threads=1, feature_cache=feature_cache),
                recorder,
            )
            seconds = time.perf_counter() - started
        journal.append(events.ExperimentFinished(events.ExperimentStatus.COMPLETED, seconds, ""))
    draining = time.perf_counter()
    arrived = relay.drain(DRAIN_SECONDS)
    if not arrived:
        raise RuntimeError(f"the journal did not reach MLflow within {DRAIN_SECONDS:g} s; see {experiment.directory}")
    return _outcome(progress, seconds, time.perf_counter() - draining)


def _feature_cache(job: Job, home: Home, dataset: Dataset) -> FeatureCache:
    return FeatureCache(FeatureStore(home.features), data_fingerprint(dataset), plan_prefixes(job).wanted)


def _run(request: Request, experiment: Experiment, training_data: TrainingData, recorder: Recorder) -> None:
    job = experiment.job()
    metric, slots = job.objective, request.lanes
    scheduler = build_scheduler(job.phases[0], metric, job.search.seed, job.strategy)
    conductor = Conductor(scheduler, FixedProposer(request.names, request.epochs), recorder, metric, slots)
    execution = Execution("search", experiment.tune, metric, {"CPU": 1}, slots)
    store = CheckpointStore(experiment.checkpoints)
    payload = TrialPayload(SupervisedFactory(training_data), store, CheckpointEpochs())
    run_search(execution, conductor, recorder, run_trial, payload)


def _outcome(progress: Progress, seconds: float, drain_seconds: float) -> Outcome:
    ended = [trial for trial in progress.trials.values() if trial.status == events.TrialStatus.COMPLETED]
    scores = {trial.trial: progress.score(trial) for trial in ended}
    return Outcome(
        search_seconds=seconds,
        training_seconds=sum(sum(trial.epoch_seconds) for trial in progress.trials.values()),
        scores={name: score for name, score in scores.items() if score is not None},
        more={
            "mlflow_drain": drain_seconds,
            "building": sum(trial.cache.get("seconds", 0.0) for trial in progress.trials.values()),
        },
    )


if __name__ == "__main__":
    main(search)

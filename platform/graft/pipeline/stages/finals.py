"""Folds for the finalists of a search (`search.evaluation.top`): the winner has a score without the luck of one split.

Each is journaled when it is done, so that a run which was killed goes on with the next.
"""

from dataclasses import replace

from graft.data.dataset import Dataset
from graft.experiments.standing.finalists import finalists_of, seconds_of
from graft.journal import events
from graft.learner.cross_validation.estimate import estimate
from graft.learner.cross_validation.folds import folds_of
from graft.learner.training_data import TrainingData
from graft.pipeline.context import RunContext
from graft.spec.strategy import Strategy
from graft.workers.remote import run_remote


def estimate_finalists(run: RunContext, dataset: Dataset, data: TrainingData) -> None:
    """Score the finalists by folds, one after the other, as long as there is time; the winner so far is the first.

    Args:
        run: whose search has ended.
        dataset: its data.
        data: what its trials were trained on.
    """
    spec, run_clock = run.job.search.evaluation, run.run_clock
    finalists = [one for one in finalists_of(run.progress, spec) if not one.estimate]
    if not finalists:
        return
    threads, gpus = run_clock.allocation.all_threads, run_clock.allocation.gpus_per_worker
    folded = replace(data, folds=folds_of(spec, data), num_threads=threads)
    for trial in finalists:
        left = run_clock.seconds_for_finals(dataset)
        if left is not None and seconds_of(trial, spec, dataset.counts) / run_clock.speed_up > left:
            run.journal.append(events.TrialNoted(trial.trial, "is not scored by folds: there is no time for it"))
            continue
        began = run.clock.elapsed()
        strategy = Strategy.read_stored(trial.best_strategy)
        folded = replace(folded, epochs=trial.length or data.epochs)
        found = run_remote(estimate, folded, strategy, trial.epoch, num_cpus=threads, num_gpus=gpus)
        run.journal.append(events.TrialEstimated(trial.trial, found, run.clock.elapsed() - began))

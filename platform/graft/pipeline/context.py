"""What the stages of one run share, and the questions that several of them ask."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from graft.core.clock import Clock
from graft.core.errors import TrialError
from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.data.feature_store.eviction import VARIABLE
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory, best_of
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.replay import read_schedule
from graft.experiments.run_clock import RunClock
from graft.experiments.standing.choice import Choice, choose
from graft.journal.events import TrialStatus
from graft.journal.journal import Journal
from graft.learner.cached_features import FeatureCache
from graft.learner.final_model import FinalModel
from graft.learner.prefix_plan import affordable, plan_prefixes
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job


@dataclass(frozen=True)
class RunContext:
    """What the stages of one run share."""

    experiment: Experiment
    home: Home
    job: Job
    journal: Journal
    progress: Progress
    clock: Clock
    history: SearchHistory
    run_clock: RunClock

    def feature_cache(self, dataset: Dataset) -> FeatureCache | None:
        """Where features of frozen blocks are kept; None if no blocks are worth it, or ``GRAFT_CACHE_GB`` is 0."""
        store = FeatureStore(self.home.features)
        wanted = affordable(plan_prefixes(self.job).wanted, len(dataset.splits), store.catalog.limit())
        if not wanted or os.environ.get(VARIABLE) == "0":
            return None
        return FeatureCache(store, data_fingerprint(dataset), wanted)

    def winner(self) -> Choice:
        """The trial that wins, and why (`standing.choice`).

        Raises:
            TrialError: none has a score.
            ResourceError: none has one because the time was spent before.
        """
        best = next(iter(self.progress.ranked()), None)
        if best is None:
            raise TrialError("no trial was started before the budget was spent; raise search.budget")
        if not best.best_epoch:
            if best.status == str(TrialStatus.INTERRUPTED):
                self.run_clock.require_time_for_a_score()
            raise TrialError(f"none of {len(self.progress.trials)} trials got a score; the first says: {best.reason}")
        return choose(self.progress)

    def schedule(self, winner: TrialProgress) -> Schedule:
        """What the winner's weights were trained under, to the end of the training it was made for.

        A schedule that is replayed was found by another search: it is trained to its end, wherever the best epoch was.
        """
        if self.experiment.replay_file.exists():
            return read_schedule(self.experiment.replay_file).scaled(self.job.epochs)
        best = best_of(winner)
        lineage = self.history.lineage(self.progress)
        *before, last = lineage.schedule_of(best.trial, best.segment, best.epoch)
        end = last.to_epoch if last.strategy.head.is_solved else max(winner.length or self.job.epochs, last.to_epoch)
        return Schedule((*before, replace(last, to_epoch=end)))

    def final_model(self, dataset: Dataset, trial: TrialProgress, weights: Path) -> FinalModel:
        return FinalModel(self.job, dataset.directory, self.schedule(trial), weights, dataset.decoder)

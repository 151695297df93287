"""What the trials of a phase are: drawn from the space, or the best trials of the phase before."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from graft.core.errors import TrialError
from graft.core.seeds import derive_seed
from graft.core.stores.copy import is_there
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.learner.checkpoints import CheckpointStore
from graft.models.load import depth_of_backbone
from graft.pipeline.memory.asked import Asked, InformedSearch
from graft.search.perturb import perturb
from graft.search.proposer import Earlier, SearchProposer, StratifiedProposer, SurvivorProposer, architectures_of
from graft.search.protocol import Checkpoint, LearnsFromTasks, Observation, Proposer
from graft.search.searchers.build import build_searcher
from graft.spec.components.skip import Depth
from graft.spec.job import Job
from graft.spec.search.phases import Phase
from graft.spec.space.mutation import mutated_keys
from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class Proposing:
    """Makes the proposers of an experiment's phases.

    Attributes:
        history: what was proposed before.
        store: where the survivors' weights are.
        asked: what earlier tasks say of the phase.
        first: what its first draws are.
    """

    job: Job
    progress: Progress
    history: SearchHistory
    store: CheckpointStore
    asked: Asked
    first: tuple[Strategy, ...] = ()

    def of(self, phase: Phase, history: Callable[[], tuple[Observation, ...]]) -> Proposer:
        """The proposer of a phase that is about to run.

        Args:
            phase: which.
            history: what is known of its trials so far.

        Raises:
            TrialError: it goes on from the best of the phase before, and there is none.
        """
        search, space = self.job.search, self.job.strategy
        earlier = self._earlier(phase)
        if phase.from_top:
            return SurvivorProposer(self._survivors(phase), phase, self._explore(phase), earlier=earlier)
        searcher = build_searcher(phase.searcher, space, self.job.objective, derive_seed(search.seed, phase.index))
        if not phase.is_population_based:
            if isinstance(searcher, LearnsFromTasks):
                searcher = InformedSearch(searcher, self.asked)
            return SearchProposer(searcher, phase, history=history, depth=_depth, earlier=earlier, first=self.first)
        kinds = architectures_of(space, _depth)
        return StratifiedProposer(searcher, phase, kinds, history=history, depth=_depth, earlier=earlier)

    def _earlier(self, phase: Phase) -> Earlier:
        before = self.history.proposed(range(phase.index))
        mine = self.history.proposed([phase.index])
        return Earlier(
            first=len(before) + 1,
            known={proposal.strategy.key(): proposal.trial for proposal in before},
            proposed=[(proposal.trial, proposal.strategy.key()) for proposal in mine],
            duplicates=self.history.duplicates.get(phase.index, 0),
        )

    def _survivors(self, phase: Phase) -> list[tuple[Strategy, Checkpoint]]:
        """The best trials of the phase before that came to its end; for a population, of the best one's architecture.

        Raises:
            TrialError: there is none.
        """
        end = self.job.phases[phase.index - 1].epochs
        found = []
        for trial in self.progress.ranked():
            last = Checkpoint(trial.trial, trial.segment, end)
            strategy = Strategy.read_stored(trial.strategy)
            is_trained = trial.phase == phase.index - 1 and trial.best_epoch and not strategy.head.is_solved
            if is_trained and is_there(self.store.state_file(last)):
                found.append((strategy, last))
        if not found:
            raise TrialError(
                f"no trial of phase {phase.index} came to its end, epoch {end}, so phase {phase.index + 1} has "
                "nothing to go on from; raise search.budget, or lower the trials or epochs of the phase"
            )
        if not phase.is_population_based:
            return found
        alike = [one for one in found if one[0].architecture() == found[0][0].architecture()]
        return alike[: phase.trials]

    def _explore(self, phase: Phase) -> Callable[[Strategy, int], Strategy]:
        """How a survivor that fills more than one place of a population is varied."""

        def explore(strategy: Strategy, member: int) -> Strategy:
            rng = random.Random(derive_seed(self.job.search.seed, "survivor", phase.index, member))
            keys = mutated_keys(self.job.strategy, phase.scheduler.mutate)
            return perturb(self.job.strategy, strategy, keys, rng, resample=0.0)[0]

        return explore


def _depth(strategy: Strategy) -> Depth:
    return depth_of_backbone(strategy.backbone, strategy.structure)

"""Which weights are kept: all that somebody may still ask for, and nothing else."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from graft.core.clock import Clock, SystemClock
from graft.core.errors import GraftError
from graft.experiments.progress import Progress
from graft.journal import events
from graft.learner.checkpoints import CheckpointStore
from graft.search.protocol import Checkpoint, Past, Proposal, Report, Retry, TrialEnd
from graft.spec.outputs import KeepSpec

_LOG = logging.getLogger(__name__)

REST_S = 10.0
MAY_GO_ON = (events.TrialStatus.INTERRUPTED, events.TrialStatus.FAILED)


@dataclass(frozen=True)
class Kept:
    """How much is kept for its own sake.

    Attributes:
        newest: states of each trial: the one it goes on from, and those before it, should the newest be damaged.
        best: trials whose best weights are kept, the best ones first; None is all.
    """

    newest: int = 2
    best: int | None = 2

    @classmethod
    def of(cls, spec: KeepSpec, least_best: int) -> "Kept":
        """What a job wants, and the run itself at least."""
        return cls(spec.checkpoints, None if spec.losers == "all" else max(1 + spec.losers, least_best))


class Retention:
    """Deletes weights as the search goes on; call `apply` with every event, after `progress` has seen it.

    A donor's checkpoint is pinned until the trial that copies it has left a state of its own: up to then, a process
    that dies sends it back there. What a trial leaves when it ends is kept for the next phase, if that goes on from the
    best. Of the best epochs' weights only those of the best trials stay. A trial that has failed keeps what one keeps
    that was cut off: somebody may try it again from where it was.

    Args:
        store: where the weights are.
        progress: how the search stands.
        kept: how much is kept for its own sake.
        feeding: phases whose trials the next phase may go on from.
        past: what happened in earlier runs of the experiment.
        clock: measures how long a store that does not answer is left alone.
    """

    def __init__(
        self,
        store: CheckpointStore,
        progress: Progress,
        kept: Kept,
        feeding: frozenset[int],
        past: Iterable[Past] = (),
        clock: Clock | None = None,
    ) -> None:
        # The search must not wait for a store that is away to delete something there.
        self._store, self._progress = replace(store, patience=0.0), progress
        self._clock, self._rests_until = clock or SystemClock(), 0.0
        self._kept, self._feeding = kept, feeding
        self._pins: dict[str, Checkpoint] = {}
        self._best: set[str] | None = None
        for record in past:
            self._relive(record)

    def apply(self, event: events.Event) -> None:
        """Take one event into account, and delete what it has made useless; what cannot be now is later, or stays."""
        match event:
            case events.TrialStarted(start=start) if start is not None:
                self._pins[event.trial] = Checkpoint(*start)
            case events.TrialExploited():
                self._pins[event.trial] = Checkpoint(event.donor, event.donor_segment, event.epoch)
            case _ if self._clock.elapsed() >= self._rests_until:
                try:
                    self._delete_after(event)
                except GraftError as error:
                    _LOG.warning("weights that nobody needs any more stay for now: %s", error)
                    self._rests_until = self._clock.elapsed() + REST_S

    def _delete_after(self, event: events.Event) -> None:
        match event:
            case events.TrialReported():
                if event.trial in self._pins and self._stands_alone(event.trial):
                    self._unpin_for(event.trial)
                self._store.prune(event.trial, self._pins.values(), self._kept.newest)
            case events.TrialFinished(status=status) if status not in MAY_GO_ON:
                self._after_end(event.trial)
            case _:
                pass

    def _relive(self, record: Past) -> None:
        match record.what:
            case Proposal(start=start) if start is not None:
                self._pins[record.trial] = start
            case TrialEnd(status=status) if status in MAY_GO_ON:
                pass
            case Retry():
                pass
            case Report() if not self._stands_alone(record.trial):
                pass
            case _:
                self._pins.pop(record.trial, None)

    def _stands_alone(self, trial: str) -> bool:
        """Whether it has left a state since it copied another."""
        newest = next(iter(self._store.of_trial(trial)), None)
        return newest is not None and newest.segment == self._progress.trials[trial].segment

    def _after_end(self, trial: str) -> None:
        self._unpin_for(trial)
        self._prune_ended(trial)
        if self._kept.best is None:
            return
        progress = self._progress
        # At first all that earlier runs have left, then the newest against those that are kept.
        candidates = progress.trials.keys() if self._best is None else {*self._best, trial}
        ended = [progress.trials[name] for name in candidates if self._is_over(name)]
        ended.sort(key=lambda one: progress.metric.best_first(progress.score(one), one.trial))
        best, others = ended[: self._kept.best], ended[self._kept.best :]
        self._best = {one.trial for one in best}
        for one in others:
            # What was tried first may win without being the best (`standing.choice`).
            if not one.runs_to_end:
                self._store.drop_best(one.trial)

    def _unpin_for(self, trial: str) -> None:
        """Let go what a trial has copied; its donor may have ended meanwhile."""
        source = self._pins.pop(trial, None)
        if source is not None and self._is_over(source.trial):
            self._prune_ended(source.trial)

    def _prune_ended(self, trial: str) -> None:
        is_wanted = self._progress.trials[trial].phase in self._feeding
        self._store.prune(trial, self._pins.values(), self._kept.newest if is_wanted else 0)

    def _is_over(self, trial: str) -> bool:
        """Whether it has ended, and nobody may let it go on."""
        one = self._progress.trials[trial]
        return one.has_ended and one.status not in MAY_GO_ON

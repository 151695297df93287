"""Runs a search on learning curves, in this process, in the place of Ray Tune."""

from collections.abc import Callable, Mapping
from typing import Any

from graft.search.conductor import Conductor
from graft.search.protocol import Checkpoint, Proposal
from graft.search.simulation import simulate
from graft.search.tuner import Execution


class SearchIsOver(BaseException):
    """The execution has said so; or the process has died."""


class CurveSearch:
    """Stands for `graft.search.tuner.run_search`: trials leave the files that real ones leave, and learn by a curve.

    Args:
        value: ``value(proposal, epoch)``: the accuracy.
        dies_after: so many reports later the process dies; 0 is never.
    """

    def __init__(self, value: Callable[[Proposal, int], float], dies_after: int = 0) -> None:
        self._value, self._dies_after = value, dies_after
        self.executions: list[Execution] = []
        self.trained: list[tuple[str, int, int]] = []

    def __call__(self, execution: Execution, conductor: Conductor, observer: Any, trial_fn: Any, payload: Any) -> None:
        self.executions.append(execution)

        def curve(proposal: Proposal, epoch: int) -> Mapping[str, float]:
            if execution.is_over():
                raise SearchIsOver
            self._require_start(proposal, payload)
            self.trained.append((proposal.trial, proposal.segment, epoch))
            if payload.due.wants(epoch):
                touch(payload.store.state_file(Checkpoint(proposal.trial, proposal.segment, epoch)))
            touch(payload.store.best_file(proposal.trial))
            if len(self.trained) == self._dies_after:
                raise KeyboardInterrupt
            observer.on_placed(proposal.trial, ("node",))
            accuracy = self._value(proposal, epoch)
            return {"val/accuracy": accuracy, "val/loss": 1 - accuracy, "train/loss": 1.0, "train/seconds": 1.0}

        try:
            simulate(conductor, curve)
        except SearchIsOver:
            pass
        conductor.close()

    @staticmethod
    def _require_start(proposal: Proposal, payload: Any) -> None:
        """What a trial goes on from must be there when its first epoch begins."""
        start = proposal.start
        own = [one for one in payload.store.of_trial(proposal.trial) if one.segment == proposal.segment]
        if start is not None and not own:
            assert payload.store.state_file(start).exists(), f"{start} is gone"


def touch(path: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

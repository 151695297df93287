"""Executes a search in this process, one epoch at a time, in the place of Ray Tune.

Scheduler, searcher, proposals, checkpoints, exploits and the training itself are graft's own; only the clock is another
one: each epoch takes one second of simulated time, so which trial is compared with which does not depend on what else
the machine is doing, and a run can be repeated exactly. A trial goes on from its checkpoint at every epoch, as it does
after a crash, which is the same to the last bit as if it had not stopped.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from graft.learner.trial import TrialPayload
from graft.search.conductor import Conductor
from graft.search.protocol import CheckpointEpochs, Proposal, SearchObserver, TrialFunction
from graft.search.simulation import simulate
from graft.search.tuner import Execution

# The name of the one node there is.
HERE = "here"


class _EpochIsTrained(BaseException):
    """Ends a trial's function after an epoch; nothing in there may take it for an error."""


class _SearchIsOver(Exception):  # noqa: N818 - it is no error
    """Ends the simulation."""


class OneEpoch:
    """A `TrialReporter` that lets a trial train one epoch and no more.

    Attributes:
        epoch: that was reported; 0 if the trial has failed.
        metrics: that were reported.
        failure: why the trial cannot go on.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.metrics: Mapping[str, float] = {}
        self.failure = ""

    def report(
        self, epoch: int, metrics: Mapping[str, float], nodes: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        """Take what was reported, and end the trial's function."""
        self.epoch, self.metrics = epoch, dict(metrics)
        raise _EpochIsTrained

    def fail(self, reason: str) -> None:
        """The trial's function returns after this."""
        self.failure = reason


def run_search(
    execution: Execution,
    conductor: Conductor,
    observer: SearchObserver,
    trial_fn: TrialFunction,
    payload: TrialPayload,
) -> None:
    """What `graft.search.tuner.run_search` does, with the same arguments.

    Raises:
        RuntimeError: a trial has not gone on from where it was.
    """
    resumable = replace(payload, due=CheckpointEpochs(every=1))

    def curve(proposal: Proposal, epoch: int) -> Mapping[str, float] | None:
        if execution.is_over():
            raise _SearchIsOver
        reporter = OneEpoch()
        with contextlib.suppress(_EpochIsTrained):
            trial_fn(replace(proposal, reported=epoch - 1), resumable, reporter)
        if reporter.failure:
            return None
        if reporter.epoch != epoch:
            raise RuntimeError(f"{proposal.trial} has trained epoch {reporter.epoch}, but epoch {epoch} was due")
        observer.on_placed(proposal.trial, (HERE,))
        return reporter.metrics

    try:
        with contextlib.suppress(_SearchIsOver):
            simulate(conductor, curve)
    finally:
        conductor.close()

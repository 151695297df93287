"""Who trains the trials of a search: Tune's own processes, processes that train several at once, or worker groups."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graft.core.heartbeat import Board
from graft.learner.head_fusion import heads_at_once, reason_not_fused
from graft.learner.trial import (
    Hosted,
    TrialPayload,
    run_trial,
    run_trial_in_group,
    run_trial_in_host,
    train_in_group,
    train_in_host,
)
from graft.pipeline.ray_session import nodes_there_may_be
from graft.pipeline.scaling.packing import packing_of
from graft.search.protocol import CheckpointEpochs
from graft.search.tune_bridge import Keep, Pack
from graft.spec.job import Job
from graft.spec.search.phases import total_trials
from graft.workers.allocation import Allocation
from graft.workers.groups.group import WorkerGroups
from graft.workers.groups.shape import GroupShape
from graft.workers.heads_host import heads_hosts

# A driver of a worker group needs no CPU; Ray wants a resource all the same, and every head node has this one.
DRIVER_RESOURCES = {"CPU": 0.0, "node:__internal_head__": 0.0001}


@dataclass(frozen=True)
class TrialRunner:
    """How trials are run.

    Attributes:
        function: runs one.
        resources: what its process occupies.
        slots: how many at once.
        payload: what the function is given, by the checkpoints that are due in a phase.
        is_starved: whether one of them lacks workers.
        on: which of them are trained on a node.
        labels: of the nodes that may train them.
        keep: told how many trials need workers.
        pack: empties nodes.
        board: where heartbeats are shown.
    """

    function: Any
    resources: dict[str, float]
    slots: int
    payload: Callable[[CheckpointEpochs], Any]
    is_starved: Callable[[], bool] = lambda: False
    on: Callable[[str], Sequence[str]] = lambda node: ()
    labels: Mapping[str, str] = field(default_factory=dict)
    keep: Keep = lambda count: None
    pack: Pack = lambda trials: None
    board: Board | None = None


@contextmanager
def trial_runner(
    job: Job, allocation: Allocation, payload: TrialPayload, storage: Path, note: Callable[[str, str], None]
) -> Iterator[TrialRunner]:
    """What runs the trials of a job; processes that it needs live as long as the context.

    Args:
        job: whose trials.
        allocation: what each of them is given.
        payload: what they are trained by; which checkpoints are due is said phase by phase.
        storage: where worker groups keep what they share.
        note: journals a sentence about a trial.
    """
    if not reason_not_fused(job, allocation):
        with _trained_together(job, allocation, payload) as runner:
            yield runner
    elif allocation.workers == 1:
        yield _alone(job, allocation, payload, note)
    else:
        with _in_groups(allocation, payload, storage) as runner:
            yield runner


def shape_of(allocation: Allocation) -> GroupShape:
    """The workers of one trial, as a placement group asks for them."""
    return GroupShape(
        allocation.workers,
        allocation.cpus_per_worker,
        allocation.gpus_per_worker,
        allocation.placement,
        allocation.gpu_type,
    )


def _alone(job: Job, allocation: Allocation, payload: TrialPayload, note: Callable[[str, str], None]) -> TrialRunner:
    is_one_enough = job.training.fit.workers in ("auto", 1)
    return TrialRunner(
        run_trial,
        {"CPU": allocation.cpus, "GPU": allocation.gpus},
        allocation.concurrent,
        lambda due: replace(payload, due=due),
        labels=allocation.labels,
        pack=packing_of(allocation, nodes_there_may_be(), note, is_one_enough),
        board=payload.heartbeats,
    )


@contextmanager
def _trained_together(job: Job, allocation: Allocation, payload: TrialPayload) -> Iterator[TrialRunner]:
    """Several trials a process, by as many processes as would train one each."""
    slots = heads_at_once(job, allocation, total_trials(job.phases))
    each = math.ceil(slots / allocation.concurrent)
    with heads_hosts(train_in_host, payload, allocation, each) as handle:
        yield TrialRunner(
            run_trial_in_host,
            DRIVER_RESOURCES,
            slots,
            lambda due: Hosted(handle, due),
            board=payload.heartbeats,
        )


@contextmanager
def _in_groups(allocation: Allocation, payload: TrialPayload, storage: Path) -> Iterator[TrialRunner]:
    # A group that lost a worker goes on from the last epoch, whatever the scheduler needs.
    every_epoch = replace(payload, due=CheckpointEpochs(every=1))
    with WorkerGroups(shape_of(allocation), allocation.concurrent, train_in_group, every_epoch, storage) as groups:
        handle = groups.handle
        yield TrialRunner(
            run_trial_in_group,
            DRIVER_RESOURCES,
            allocation.concurrent,
            lambda due: handle,
            handle.is_starved,
            handle.on,
            keep=handle.keep,
            board=payload.heartbeats,
        )

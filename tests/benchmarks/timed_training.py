"""The work of a trial's group, with a note of when it got its proposal and when it had taken its first step."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook

from graft.learner.trial import TrialPayload, train_in_group
from graft.search.protocol import Proposal
from graft.workers.groups.channel import Channel

RECEIVED, FIRST_STEP = "received", "first step"


@dataclass(frozen=True)
class TimedPayload:
    """What `train_timed` needs: what the trials share, and the directory of the notes."""

    training: TrialPayload
    notes: Path


def train_timed(proposal: Proposal, payload: TimedPayload, channel: Channel) -> None:
    """`train_in_group`, as it is; rank 0 takes the notes."""
    if channel.rank:
        train_in_group(proposal, payload.training, channel)
        return
    received, file = time.time(), _file(payload.notes, proposal.trial, proposal.segment)

    def after_step(*arguments: Any) -> None:
        # A trial that made room for others and goes on takes a first step again: the one after its decision counts.
        if not file.exists():
            file.write_text(json.dumps({RECEIVED: received, FIRST_STEP: time.time()}))

    hook = register_optimizer_step_post_hook(after_step)
    try:
        train_in_group(proposal, payload.training, channel)
    finally:
        hook.remove()


def noted(notes: Path, trial: str, segment: int) -> dict[str, float]:
    """When a segment of a trial reached which point, in seconds since the epoch; empty if it never took a step."""
    file = _file(notes, trial, segment)
    return json.loads(file.read_text()) if file.exists() else {}


def _file(notes: Path, trial: str, segment: int) -> Path:
    return notes / f"{trial}-{segment}.json"

"""What the user of a job should be told before it runs, though it is sound."""

from collections.abc import Callable

from graft.spec.components.skip import Depth
from graft.spec.defaults.length import batch_note
from graft.spec.job import Job
from graft.spec.space.effects import idle
from graft.spec.strategy import Strategy


def notes_on(given: Job, job: Job, training: int | None, depth: Callable[[Strategy], int | Depth | None]) -> list[str]:
    """What a job asks for in vain, or cannot have as it asks for it, one sentence each.

    Args:
        given: the job as its file has it.
        job: the same with all that it leaves open.
        training: samples to train on; None if nobody has counted them.
        depth: blocks of a strategy's backbone; None if unknown.
    """
    on_batches = "" if training is None else batch_note(given, training)
    return [*([on_batches] if on_batches else []), *idle(given.strategy, job.strategy, depth)]

"""What the user of a job should be told before it runs, though it is sound."""

from collections.abc import Callable, Iterator

from graft.spec.components.skip import Depth
from graft.spec.defaults.length import batch_note
from graft.spec.job import Job
from graft.spec.registry import members
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
    told = [on_batches, *_headless(job, depth)]
    return [*filter(None, told), *idle(given.strategy, job.strategy, depth)]


def _headless(job: Job, depth: Callable[[Strategy], int | Depth | None]) -> Iterator[str]:
    """Backbones on which a penalty has no effect, as they come without the head that it needs."""
    depths = {name: depth(Strategy(backbone=name)) for name in job.reach.values("backbone")}
    names = [name for name, there in depths.items() if isinstance(there, Depth) and there.is_headless]
    for kind in dict.fromkeys(job.reach.values("penalty")):
        if names and getattr(members("penalty").get(kind), "needs_source_head", False):
            told = f"strategy.penalty: {kind} has no effect on {', '.join(names)}"
            yield f"{told}; it has one on backbones that come with the head that they were pretrained with"

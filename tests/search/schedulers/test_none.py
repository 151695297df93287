"""Without early stopping, everything runs to its end."""

from graft.search.protocol import GoOn
from graft.search.schedulers.none import RunToEnd
from graft.spec.search.schedulers import NoScheduler


def test_nobody_is_stopped_or_held(context, proposal, tell):
    scheduler = RunToEnd(context(NoScheduler(), epochs=3))
    for trial in ("a", "b"):
        scheduler.add(proposal(trial))
    for epoch in (1, 2, 3):
        assert tell(scheduler, epoch, a=0.9, b=0.1) == {"a": GoOn(), "b": GoOn()}
    assert scheduler.settle(no_more=True) == {}
    assert not any(scheduler.checkpoints.wants(epoch) for epoch in range(4))

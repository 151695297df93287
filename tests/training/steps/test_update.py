import pytest
import torch

from graft.spec.strategy import Strategy
from graft.training.loop import train
from graft.training.steps.update import clip_gradients, trained


def test_the_norm_of_all_gradients_is_what_is_clipped(make_session, batches):
    session = make_session(Strategy(clip_norm=0.5))
    for place, parameter in enumerate(trained(session)):
        parameter.grad = torch.full_like(parameter, place + 1.0)
    before = torch.cat([parameter.grad.flatten() for parameter in trained(session)])
    clip_gradients(session)
    after = torch.cat([parameter.grad.flatten() for parameter in trained(session)])
    assert after.norm() == pytest.approx(0.5, rel=1e-5)
    torch.testing.assert_close(after * before.norm() / 0.5, before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", [0.0, 1e6])
def test_a_norm_that_is_never_reached_changes_nothing(make_session, batches, norm):
    plain, other = make_session(Strategy(lr=0.01)), make_session(Strategy(lr=0.01, clip_norm=norm))
    for session in (plain, other):
        train(session, batches, None, lambda result: False)
    for one, same in zip(trained(plain), trained(other), strict=True):
        assert torch.equal(one, same)


def test_the_penalty_is_clipped_with_the_loss(make_session, batches):
    """Momentum-free SGD moves by lr times the clipped gradient, however strong the penalty is."""
    fields = {"optimizer": {"kind": "sgd", "momentum": 0.0}, "weight_decay": 0.0, "schedule": "constant", "lr": 1.0}
    session = make_session(Strategy(**fields, penalty={"kind": "l2", "strength": 100.0}, clip_norm=0.01), epochs=1)
    before = [parameter.detach().clone() for parameter in trained(session)]
    train(session, batches, None)
    moved = [now - then for now, then in zip(trained(session), before, strict=True)]
    assert torch.cat([one.flatten() for one in moved]).norm() <= batches.steps * 0.01 * 1.001

import pytest
import torch

from graft.spec.strategy import Strategy
from graft.training.loop import TrainingStatus, train, train_epoch
from graft.training.steps.sharpness import at_the_sharpest
from graft.training.steps.update import trained


def test_weights_move_by_rho_along_the_gradient_and_back_to_the_bit(make_session, batches):
    session = make_session(Strategy(sam=0.5))
    for place, parameter in enumerate(trained(session)):
        parameter.grad = torch.full_like(parameter, place + 1.0)
    before = [parameter.detach().clone() for parameter in trained(session)]
    gradient = torch.cat([parameter.grad.flatten() for parameter in trained(session)])
    with at_the_sharpest(session):
        moved = torch.cat([(now - then).flatten() for now, then in zip(trained(session), before, strict=True)])
        assert all(parameter.grad is None for parameter in trained(session))
    torch.testing.assert_close(moved, 0.5 * gradient / gradient.norm(), rtol=1e-3, atol=1e-5)
    assert all(torch.equal(now, then) for now, then in zip(trained(session), before, strict=True))


def test_a_step_is_that_of_the_gradient_at_the_perturbed_weights(make_session, batches):
    """By hand, for one step of plain descent."""
    fields = {"optimizer": {"kind": "sgd", "momentum": 0.0}, "weight_decay": 0.0, "schedule": "constant", "lr": 0.1}
    session, twin = make_session(Strategy(**fields, sam=0.1)), make_session(Strategy(**fields))
    batch = next(iter(batches.epoch(3, 1, None)))
    start = [parameter.detach().clone() for parameter in trained(twin)]
    session.model.train(), twin.model.train()
    train_epoch(session, [batch])

    def gradients():
        twin.seed_step()
        return torch.autograd.grad(twin.loss(twin.model(batch.inputs), batch.targets), trained(twin))

    first = gradients()
    norm = torch.cat([one.flatten() for one in first]).norm()
    with torch.no_grad():
        for parameter, gradient in zip(trained(twin), first, strict=True):
            parameter += 0.1 * gradient / norm
    second = gradients()
    for parameter, then, gradient in zip(trained(session), start, second, strict=True):
        torch.testing.assert_close(parameter.detach(), then - 0.1 * gradient, rtol=1e-4, atol=1e-6)


def test_running_statistics_see_each_batch_once(make_session, batches):
    plain, sharp = make_session(Strategy(lr=1e-9)), make_session(Strategy(lr=1e-9, sam=0.1))
    for session in (plain, sharp):
        train_epoch(session, batches.epoch(3, 1, None))
    name = "backbone.stem.1.running_mean"
    torch.testing.assert_close(sharp.model.changing_state()[name], plain.model.changing_state()[name])
    assert all(module.momentum == 0.1 for module in sharp.model.modules() if hasattr(module, "momentum"))


@pytest.mark.parametrize("passes", [1, 2])
def test_a_loss_that_is_not_finite_in_either_pass_never_reaches_the_weights(make_session, batches, passes):
    session, seen = make_session(Strategy(sam=0.1), epochs=1), []
    own = session.loss

    def loss(outputs, targets):
        seen.append(1)
        return own(outputs, targets) * (float("inf") if len(seen) == passes else 1)

    session.loss = loss
    before = [parameter.detach().clone() for parameter in trained(session)]
    outcome = train(session, batches, None)
    assert outcome.status is TrainingStatus.NON_FINITE
    assert len(seen) == passes
    assert all(torch.equal(now, then) for now, then in zip(trained(session), before, strict=True))

import pytest
import torch

from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state, save_state
from graft.training.loop import train, train_epoch


def weights(session):
    return {name: tensor.clone() for name, tensor in session.model.changing_state().items()}


def test_the_average_is_the_one_by_hand(make_session, batches):
    session, seen = make_session(Strategy(lr=0.01, ema=0.5)), []
    train_epoch(session, batches.epoch(3, 1, None), on_step=lambda *_: seen.append(weights(session)))
    name = "head.1.weight"
    expected = seen[0][name]
    for step, one in enumerate(seen[1:], start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * one[name]
    torch.testing.assert_close(session.average.state()[name], expected)
    counted = "backbone.blocks.0.1.num_batches_tracked"
    assert session.average.state()[counted] == seen[-1][counted] == 3


def test_what_is_judged_and_kept_is_the_average_and_training_does_not_see_it(make_session, batches):
    plain, averaged = make_session(Strategy(lr=0.03), epochs=2), make_session(Strategy(lr=0.03, ema=0.9), epochs=2)
    judged = []
    for session in (plain, averaged):

        def evaluate(model):
            judged.append({name: tensor.clone() for name, tensor in model.changing_state().items()})
            return {"loss": float(-len(judged))}

        outcome = train(session, batches, evaluate)
        assert all(torch.equal(outcome.best_state[name], one) for name, one in judged[-1].items())
    own, other = weights(plain), weights(averaged)
    assert all(torch.equal(own[name], other[name]) for name in own), "training goes on from its own weights"
    assert not torch.equal(judged[1]["head.1.weight"], judged[3]["head.1.weight"])
    averaged.restore_best()
    assert torch.equal(averaged.model.changing_state()["head.1.weight"], judged[3]["head.1.weight"])


def test_an_evaluation_that_fails_leaves_the_weights_as_they_were(make_session, batches):
    session = make_session(Strategy(lr=0.03, ema=0.9))
    train_epoch(session, batches.epoch(3, 1, None))
    before = weights(session)
    with pytest.raises(ZeroDivisionError), session.as_judged():
        session.model.network.head[1].weight.data.fill_(1 / 0)
    assert all(torch.equal(before[name], one) for name, one in weights(session).items())


def test_a_state_of_a_training_without_an_average_begins_one(make_session, batches, tmp_path):
    donor = make_session(Strategy(lr=0.03), epochs=2)
    train(donor, batches, None, lambda result: False)
    save_state(donor.state(), tmp_path / "state")
    session = make_session(Strategy(lr=0.03, ema=0.9), epochs=2)
    session.load(load_state(tmp_path / "state"))
    train(session, batches, None)
    assert session.epochs_done == 2
    assert session.state().last.keys() == session.model.changing_state().keys()
    back = make_session(Strategy(lr=0.03), epochs=2)
    back.load(session.state())  # whoever keeps none does not mind one
    assert torch.equal(back.model.changing_state()["head.1.weight"], session.model.changing_state()["head.1.weight"])


def test_what_was_frozen_in_the_state_starts_at_its_weights(make_session, batches):
    donor = make_session(Strategy(lr=0.03, ema=0.9, freeze=0.5), epochs=2)
    train(donor, batches, None, lambda result: False)
    session = make_session(Strategy(lr=0.03, ema=0.9), epochs=2)
    session.load(donor.state())
    average = session.average.state()
    assert average.keys() == session.model.changing_state().keys()
    assert torch.equal(average["head.1.weight"], donor.average.state()["head.1.weight"])
    assert torch.equal(average["backbone.stem.0.weight"], session.model.changing_state()["backbone.stem.0.weight"])

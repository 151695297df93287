from dataclasses import replace
from functools import partial

import pytest
import torch

from graft.core.errors import ArtifactError
from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state, save_state
from graft.training.loop import TrainingStatus, train, train_epoch
from graft.training.optimizer import load_optimizer_state, optimizer_state


def scripted(values, name="loss"):
    told = iter(values)
    return lambda model: {name: next(told)}


@pytest.mark.parametrize(("mode", "best"), [("min", 2), ("max", 3)])
def test_the_best_epoch_is_by_the_metric_and_its_mode(make_session, batches, mode, best):
    session = make_session(epochs=4, mode=mode)
    outcome = train(session, batches, scripted([0.5, 0.1, 0.9, 0.1]))
    assert outcome.best_epoch == best
    assert outcome.best_metrics["val/loss"] == [0.5, 0.1, 0.9, 0.1][best - 1]


def test_without_validation_the_last_epoch_is_the_best(make_session, batches):
    session = make_session(epochs=3)
    outcome = train(session, batches, None)
    assert outcome.best_epoch == 3
    assert [*outcome.best_metrics] == ["train/loss"]


def test_restoring_the_best_gives_its_weights_back(make_session, batches):
    session = make_session(epochs=3)
    snapshots = []

    def evaluate(model):
        snapshots.append({name: tensor.clone() for name, tensor in model.changing_state().items()})
        return {"loss": [0.5, 0.1, 0.9][len(snapshots) - 1]}

    outcome = train(session, batches, evaluate)
    session.restore_best()
    for state in (session.model.changing_state(), outcome.best_state):
        assert all(torch.equal(tensor, snapshots[1][name]) for name, tensor in state.items())


def test_best_state_fits_the_plain_classifier(make_session, batches):
    session = make_session(Strategy(freeze=0.5), epochs=1)
    outcome = train(session, batches, None)
    network = make_session(Strategy(freeze=0.5)).model.network
    report = network.load_state_dict(outcome.best_state, strict=False)
    assert not report.unexpected_keys
    assert all(
        name.startswith(("backbone.stem", "backbone.blocks.0", "backbone.blocks.1")) for name in report.missing_keys
    )


def test_a_state_is_a_copy(make_session, batches):
    session = make_session(epochs=2)
    states = []
    train(session, batches, None, lambda result: states.append(session.state()))
    first, second = (state.part("model")["head.1.weight"] for state in states)
    assert not torch.equal(first, second)


def test_learning_rates_are_the_sessions_own_after_a_load(make_session, batches):
    donor = make_session(Strategy(lr=0.01), epochs=4)
    train(donor, batches, None, lambda result: False)
    session = make_session(Strategy(lr=0.5, schedule="constant"), epochs=4)
    session.load(donor.state())
    rates = []
    train(session, batches, None, lambda result: rates.append(result.lr))
    assert rates == [0.5] * 3


MUTATED = Strategy(
    lr=0.03,
    head_lr_factor=2,
    weight_decay=0.3,
    freeze=0.25,
    penalty={"kind": "l2_sp", "strength": 0.5},
    loss="focal",
    head={"kind": "linear", "dropout": 0.4},
)


def classifier_weights(session):
    return {name: tensor.clone() for name, tensor in session.model.network.state_dict().items()}


def trained(session, batches, epochs=1):
    train(session, batches, None, lambda result: result.epoch < epochs)
    return session


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize(("there", "here"), [(0.5, 0.0), (0.0, 0.5), (1.0, 0.25)])
def test_a_state_is_continued_under_another_frozen_share(make_session, batches, there, here, optimizer):
    donor = trained(make_session(Strategy(lr=0.05, freeze=there, optimizer=optimizer)), batches)
    session = make_session(Strategy(lr=0.05, freeze=here, optimizer=optimizer))
    session.load(donor.state())
    expected = classifier_weights(donor)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in classifier_weights(session).items())
    kept = optimizer_state(donor.optimizer).keys() & optimizer_state(session.optimizer).keys()
    assert {name.split("/")[0] for name in kept} >= {"head.1.weight", "head.1.bias"}
    result = train(session, batches, None)
    assert result.status is TrainingStatus.COMPLETED
    rebuilt = make_session(Strategy(freeze=here)).model
    rebuilt.load_changing_state(result.best_state)
    rebuilt_state = rebuilt.network.state_dict()
    assert all(torch.equal(tensor, rebuilt_state[name]) for name, tensor in classifier_weights(session).items())


def test_everything_but_weights_moments_and_counts_is_the_sessions_own(make_session, batches):
    """A state loaded into a mutated strategy trains as that strategy does from these weights and moments."""
    donor = trained(make_session(Strategy(lr=0.01)), batches, 2)
    loaded, by_hand = make_session(MUTATED), make_session(MUTATED)
    loaded.load(donor.state())
    by_hand.model.load_changing_state(donor.state().part("model"))
    frozen = {name for name, parameter in by_hand.model.network.named_parameters() if not parameter.requires_grad}
    load_optimizer_state(by_hand.optimizer, donor.state().part("optimizer"), frozen)
    by_hand.epochs_done = 2
    for session in (loaded, by_hand):
        trained(session, batches, 3)
    expected = classifier_weights(by_hand)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in classifier_weights(loaded).items())
    other = make_session(Strategy(lr=0.01))
    other.load(donor.state())
    trained(other, batches, 3)
    assert not torch.equal(classifier_weights(other)["head.1.weight"], expected["head.1.weight"])


def test_l2_sp_pulls_to_the_pretrained_weights_not_to_the_loaded_ones(make_session, batches):
    donor = trained(make_session(Strategy(lr=0.1)), batches)
    session = make_session(Strategy(penalty={"kind": "l2_sp", "strength": 1.0, "head_strength": 0.0}))
    session.load(donor.state())
    start = make_session().model.network.state_dict()
    moved = [
        (parameter - start[name]).square().sum().item()
        for name, parameter in session.model.network.named_parameters()
        if name.startswith("backbone") and parameter.ndim >= 2
    ]
    assert session.adapted.penalty.value().item() == pytest.approx(sum(moved) / 2, rel=1e-5)
    assert sum(moved) > 0


def test_epochs_go_on_counting(make_session, batches):
    donor = trained(make_session(), batches, 2)
    session, told = make_session(MUTATED, epochs=4), []
    session.load(donor.state())
    train(session, batches, None, lambda result: told.append(result.epoch))
    assert told == [3, 4]


def test_another_kind_of_optimiser_is_refused(make_session, batches):
    donor = trained(make_session(), batches)
    with pytest.raises(ArtifactError, match="must come from the same model and kind of optimiser"):
        make_session(Strategy(optimizer="sgd")).load(donor.state())


def test_another_architecture_is_refused(make_session, batches):
    state = trained(make_session(), batches).state()
    tensors = {name.replace("head.1", "head.0"): tensor for name, tensor in state.tensors.items()}
    with pytest.raises(ArtifactError, match=r"model state has 4 tensors that do not fit .* from the same model"):
        make_session().load(replace(state, tensors=tensors))


def test_a_redrawn_block_that_the_state_lacks_is_refused(make_session, batches):
    donor = trained(make_session(Strategy(freeze=1.0)), batches)
    with pytest.raises(
        ArtifactError, match=r"lacks `backbone.blocks.3.0.weight`, but must hold all that strategy.init"
    ):
        make_session(Strategy(init="reinitialise")).load(donor.state())


def test_a_session_that_trained_more_than_the_state_is_no_place_for_it(make_session, batches):
    donor = trained(make_session(Strategy(freeze=1.0)), batches)
    session = trained(make_session(Strategy(freeze=0.0)), batches)
    with pytest.raises(ValueError, match=r"this session has trained `backbone.*; load it into a new session"):
        session.load(donor.state())
    session.load(trained(make_session(Strategy(freeze=0.0)), batches, 2).state())
    assert session.epochs_done == 2


def test_a_state_within_an_epoch_needs_the_batch_size(make_session, batches):
    donor = make_session(Strategy(batch_size=16))
    train(donor, batches, None, train_one=partial(train_epoch, on_step=lambda epoch, steps: False))
    with pytest.raises(ArtifactError, match="epoch of batches of 16, but must have batches of 32"):
        make_session(Strategy(batch_size=32)).load(donor.state())
    whole = trained(make_session(Strategy(batch_size=16)), batches)
    make_session(Strategy(batch_size=32)).load(whole.state())


def test_a_state_can_leave_the_best_out(make_session, batches):
    donor = make_session(epochs=4)
    train(donor, batches, scripted([0.5, 0.1, 0.9]), lambda result: result.epoch < 3)
    state = donor.state(with_best=False)
    assert (state.best_epoch, state.best_metrics, state.part("best")) == (None, {}, {})
    session = make_session(epochs=4)
    session.adopt_best(donor.best())
    session.load(state)
    outcome = train(session, batches, scripted([0.2]))
    assert (outcome.epochs_done, outcome.best_epoch, outcome.best_metrics["val/loss"]) == (4, 2, 0.1)
    assert all(torch.equal(tensor, donor.best_state[name]) for name, tensor in outcome.best_state.items())


def test_none_is_to_have_no_best(make_session, batches):
    session = trained(make_session(), batches)
    session.adopt_best(None)
    assert (session.best_epoch, session.best_metrics, session.best_state) == (None, {}, {})


def test_the_best_goes_through_its_file(make_session, batches, tmp_path):
    donor = make_session(epochs=3)
    train(donor, batches, scripted([0.5, 0.1, 0.9]))
    save_state(donor.best(), tmp_path / "best")
    session = make_session(epochs=3)
    session.adopt_best(load_state(tmp_path / "best"))
    assert (session.best_epoch, session.best_metrics) == (2, donor.best_metrics)
    session.restore_best()
    donor.restore_best()
    expected = classifier_weights(donor)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in classifier_weights(session).items())


def test_a_best_that_lacks_what_was_trained_since_is_not_restored(make_session, batches):
    head_only = trained(make_session(Strategy(freeze=1.0)), batches)
    donor = trained(make_session(Strategy(freeze=0.0)), batches)
    session = make_session(Strategy(freeze=1.0))
    session.adopt_best(head_only.best())
    session.load(donor.state(with_best=False))
    with pytest.raises(ValueError, match=r"lack \d+ tensors that were trained since .* built anew"):
        session.restore_best()


def test_a_refused_state_leaves_the_weights_alone(make_session, batches):
    session = make_session()
    before = classifier_weights(session)
    state = trained(make_session(), batches).state()
    tensors = {name: tensor for name, tensor in state.tensors.items() if name != "model/head.1.bias"}
    with pytest.raises(ArtifactError, match="model state has 1 tensors that do not fit"):
        session.load(replace(state, tensors=tensors))
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier_weights(session).items())


def test_the_metric_to_select_by_must_be_reported(make_session, batches):
    session = make_session(metric="accuracy", mode="max")
    with pytest.raises(ValueError, match="val/accuracy is not reported, but must be one of train/loss, val/loss"):
        train(session, batches, scripted([0.5]))


def test_a_session_that_never_trained_has_no_best(make_session, batches):
    session = make_session()
    before = {name: tensor.clone() for name, tensor in session.model.state_dict().items()}
    session.restore_best()
    outcome = session.outcome(TrainingStatus.STOPPED, "early")
    assert (outcome.best_epoch, outcome.best_metrics, outcome.best_state) == (None, {}, {})
    assert all(torch.equal(tensor, before[name]) for name, tensor in session.model.state_dict().items())


def test_threads_are_set_when_the_plan_says_so(make_session):
    threads = torch.get_num_threads()
    try:
        make_session(num_threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)

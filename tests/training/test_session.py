import pytest
import torch

from graft.core.errors import ArtifactError
from graft.spec.strategy import Strategy
from graft.training.loop import TrainingStatus, train


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
    classifier = make_session(Strategy(freeze=0.5)).model.classifier
    report = classifier.load_state_dict(outcome.best_state, strict=False)
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


def test_a_state_of_another_cut_is_refused(make_session, batches):
    donor = make_session(Strategy(freeze=0.5), epochs=1)
    train(donor, batches, None)
    with pytest.raises(ArtifactError, match=r"model state has .* must come from the same model and strategy"):
        make_session(Strategy(freeze=0.0)).load(donor.state())


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

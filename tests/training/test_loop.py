import json
from dataclasses import replace
from functools import partial

import pytest
import torch

from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state, save_state
from graft.training.loop import TrainingStatus, prepare, train, train_epoch
from graft.training.predict import predict_outputs

GOLDEN_STRATEGIES = {
    "adamw": Strategy(lr=0.01, freeze=0.25, penalty="l2_sp"),
    "sgd": Strategy(lr=0.05, optimizer="sgd", penalty="l1", head={"kind": "linear", "dropout": 0.5}),
}
RESUMED = {
    "adamw": Strategy(lr=0.01, penalty="l2_sp"),
    "sgd": Strategy(lr=0.05, optimizer="sgd", freeze=0.5, schedule="constant"),
    "averaged and sharpness-aware": Strategy(lr=0.01, ema=0.8, sam=0.1, clip_norm=1.0),
    "no momentum": Strategy(lr=0.05, optimizer={"kind": "sgd", "momentum": 0.0}, init="reinitialise"),
}


def validation_loss(batches):
    def evaluate(model):
        probs, labels = predict_outputs(model, batches).double().softmax(dim=1), batches.labels
        picked = probs[torch.arange(len(labels)), labels]
        return {
            "loss": float(-picked.log().mean()),
            "accuracy": float((probs.argmax(dim=1) == labels).double().mean()),
        }

    return evaluate


def scripted(values):
    """An evaluation that says what it is told, one value an epoch."""
    told = iter(values)
    return lambda model: {"loss": next(told)}


def noise(images, generator):
    return images + 0.1 * torch.randn(images.shape, generator=generator)


def weights(session):
    return {name: tensor.clone() for name, tensor in session.model.state_dict().items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert not [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]


@pytest.mark.parametrize("name", GOLDEN_STRATEGIES)
def test_golden_loss(make_session, batches, repository, name):
    """A refactor must not move the losses. If a change is meant to, write the new ones into the file and say why."""
    golden = json.loads((repository / "tests" / "assets" / "golden_loss.json").read_text())[name]
    seen = []
    session = make_session(GOLDEN_STRATEGIES[name], epochs=3)
    train(session, batches, validation_loss(batches), seen.append, noise)
    for key in ("train/loss", "val/loss"):
        assert [result.metrics[key] for result in seen] == pytest.approx(golden[key], abs=1e-5)


def test_it_learns(make_session, batches):
    seen = []
    session = make_session(Strategy(lr=0.03), epochs=12)
    outcome = train(session, batches, validation_loss(batches), seen.append)
    assert outcome.status is TrainingStatus.COMPLETED
    assert outcome.reason == ""
    assert outcome.epochs_done == len(seen) == 12
    assert [result.epoch for result in seen] == [*range(1, 13)]
    assert outcome.best_metrics["val/accuracy"] > 0.9
    assert seen[-1].metrics["train/loss"] < seen[0].metrics["train/loss"] / 2


def test_the_same_seed_gives_the_same_bits_whatever_the_global_state(make_session, batches):
    results = []
    for outside in (1, 2):
        torch.manual_seed(outside)
        session = make_session(epochs=2)
        train(session, batches, validation_loss(batches), None, noise)
        results.append(weights(session))
    assert_same(*results)


def test_another_seed_gives_other_bits(make_session, batches):
    first, second = make_session(epochs=1), make_session(epochs=1, seed=4)
    for session in (first, second):
        train(session, batches, None)
    assert not torch.equal(weights(first)["network.head.1.weight"], weights(second)["network.head.1.weight"])


def test_global_random_state_is_left_as_it_was(make_session, batches):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    session = make_session(epochs=1)
    train(session, batches, None)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("strategy", RESUMED.values(), ids=RESUMED.keys())
def test_resumed_training_is_bit_equal(make_session, batches, tmp_path, strategy, at):
    evaluate = validation_loss(batches)
    straight, reports = make_session(strategy), []
    expected = train(straight, batches, evaluate, reports.append, noise)

    stopped = make_session(strategy)
    train(stopped, batches, evaluate, lambda result: result.epoch < at, noise)
    save_state(stopped.state(), tmp_path / "state")
    resumed, later = make_session(strategy), []
    resumed.load(load_state(tmp_path / "state"))
    outcome = train(resumed, batches, evaluate, later.append, noise)

    assert_same(weights(resumed), weights(straight))
    assert_same(outcome.best_state, expected.best_state)
    assert replace(outcome, best_state={}) == replace(expected, best_state={})
    told = [(result.epoch, result.metrics, result.lr) for result in reports]
    assert [(result.epoch, result.metrics, result.lr) for result in later] == told[at:]


@pytest.mark.parametrize("at", [(1, 1), (2, 2), (3, 3), (4, 1)], ids=str)
@pytest.mark.parametrize("strategy", RESUMED.values(), ids=RESUMED.keys())
def test_training_resumed_within_an_epoch_is_bit_equal(make_session, batches, tmp_path, strategy, at):
    evaluate = validation_loss(batches)
    straight, reports = make_session(strategy), []
    expected = train(straight, batches, evaluate, reports.append, noise)

    stopped = make_session(strategy)
    outcome = train(
        stopped,
        batches,
        evaluate,
        None,
        noise,
        train_one=partial(train_epoch, on_step=lambda epoch, steps: epoch < at[0] or steps < at[1]),
    )
    assert outcome.status is TrainingStatus.STOPPED
    assert outcome.reason == f"stopped from outside after epoch {at[0]}, step {at[1]}"
    assert (stopped.epochs_done, stopped.partial.steps) == (at[0] - 1, at[1])
    save_state(stopped.state(), tmp_path / "state")
    resumed, later = make_session(strategy), []
    resumed.load(load_state(tmp_path / "state"))
    outcome = train(resumed, batches, evaluate, later.append, noise)

    assert_same(weights(resumed), weights(straight))
    assert_same(outcome.best_state, expected.best_state)
    assert replace(outcome, best_state={}) == replace(expected, best_state={})
    told = [(result.epoch, result.metrics, result.lr) for result in reports]
    assert [(result.epoch, result.metrics, result.lr) for result in later] == told[at[0] - 1 :]


def test_a_session_that_was_stopped_within_an_epoch_goes_on_itself(make_session, batches):
    straight, stopped = make_session(), make_session()
    train(straight, batches, None, None, noise)
    while (
        train(stopped, batches, None, None, noise, train_one=partial(train_epoch, on_step=lambda *at: False)).status
        is TrainingStatus.STOPPED
    ):
        pass
    assert_same(weights(stopped), weights(straight))


def test_states_taken_at_every_step_are_copies(make_session, batches):
    session, states = make_session(epochs=1), []
    train(session, batches, None, train_one=partial(train_epoch, on_step=lambda *at: states.append(session.state())))
    assert [state.partial.steps for state in states] == [1, 2, 3]
    assert [state.partial.samples for state in states] == [16, 32, 48]
    kernels = [state.part("model")["head.1.weight"] for state in states]
    assert not torch.equal(kernels[0], kernels[1])
    assert not torch.equal(kernels[1], kernels[2])


def test_steps_are_told_in_order(make_session, batches):
    told = []
    train(make_session(epochs=2), batches, None, train_one=partial(train_epoch, on_step=lambda *at: told.append(at)))
    assert told == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def test_a_wish_to_stop_is_granted_after_the_step(make_session, batches):
    session, answers = make_session(), iter([False] * 4 + [True])
    outcome = train(session, batches, None, train_one=partial(train_epoch, should_stop=lambda: next(answers)))
    assert outcome.status is TrainingStatus.STOPPED
    assert outcome.reason == "stopped from outside after epoch 2, step 2"
    assert (session.epochs_done, session.partial.steps) == (1, 2)
    straight = make_session()
    train(straight, batches, None)
    assert train(session, batches, None).status is TrainingStatus.COMPLETED
    assert_same(weights(session), weights(straight))


def without_batch_norm(session):
    """The same session with every batch norm and dropout in eval mode, whatever the loop sets."""
    for module in session.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.Dropout):
            module.train = lambda mode=True, module=module: module
            module.training = False
    return session


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", {"kind": "class_balanced", "beta": 0.9}], ids=str)
@pytest.mark.parametrize("accumulate", [2, 3, 16])
def test_micro_batches_give_the_gradient_of_the_batch(make_session, batches, accumulate, loss):
    strategy = Strategy(lr=0.05, optimizer="sgd", penalty="l2", loss=loss)
    plan = {"epochs": 2, "class_counts": [2, 8, 32]}
    whole = without_batch_norm(make_session(strategy, **plan))
    split = without_batch_norm(make_session(strategy, **plan, accumulate=accumulate))
    sizes = []
    split.parallel.register_forward_pre_hook(lambda module, args: sizes.append(args[0].size))
    losses = {}
    for name, session in (("whole", whole), ("split", split)):
        losses[name] = []
        train(session, batches, None, lambda result, name=name: losses[name].append(result.metrics["train/loss"]))
    assert min(sizes) >= 2
    assert len(sizes) == min(accumulate, 8) * 3 * 2
    assert losses["split"] == pytest.approx(losses["whole"], rel=1e-5)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(split)[name], tensor, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_not_finite_in_an_early_micro_batch_never_reaches_the_weights(make_session, batches):
    session = make_session(accumulate=4)
    before = weights(session)

    def poison(images, generator):
        return torch.cat([images[:1] * float("inf"), images[1:]])

    outcome = train(session, batches, None, None, poison)
    assert (outcome.status, outcome.epochs_done) == (TrainingStatus.NON_FINITE, 0)
    assert all(torch.equal(weights(session)[name], before[name]) for name, _ in session.model.named_parameters())


def test_a_loss_that_is_not_finite_never_reaches_the_weights(make_session, batches):
    session = make_session()
    poisoned = []

    def poison(images, generator):
        poisoned.append(weights(session))
        return images * float("inf") if len(poisoned) == 5 else images

    told = []
    outcome = train(session, batches, None, told.append, poison)
    assert outcome.status is TrainingStatus.NON_FINITE
    assert outcome.reason.startswith("loss is nan in epoch 2, step 2")
    assert outcome.epochs_done == len(told) == 1
    trained = {name for name, _ in session.model.named_parameters()}
    for name in trained:
        assert torch.equal(weights(session)[name], poisoned[-1][name])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_not_finite_ends_training_unreported(make_session, batches, value):
    told = []
    session = make_session()
    outcome = train(session, batches, scripted([0.5, value]), told.append)
    assert outcome.status is TrainingStatus.NON_FINITE
    assert outcome.reason.startswith(f"val/loss is {value} after epoch 2")
    assert (outcome.epochs_done, outcome.best_epoch, len(told)) == (1, 1, 1)


def test_on_epoch_can_stop_it(make_session, batches):
    session = make_session()
    outcome = train(session, batches, None, lambda result: result.epoch != 2)
    assert outcome.status is TrainingStatus.STOPPED
    assert outcome.reason == "stopped from outside after epoch 2"
    assert outcome.epochs_done == 2


@pytest.mark.parametrize("answer", [None, True, 0])
def test_only_false_stops_it(make_session, batches, answer):
    session = make_session(epochs=2)
    assert train(session, batches, None, lambda result: answer).status is TrainingStatus.COMPLETED


def test_an_exception_of_on_epoch_passes_through_and_can_be_resumed_from(make_session, batches):
    def fail(result):
        raise KeyboardInterrupt

    session = make_session(epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(session, batches, None, fail)
    assert session.epochs_done == 1
    assert train(session, batches, None).epochs_done == 2


def test_patience_ends_training_as_completed(make_session, batches):
    session = make_session(epochs=4, patience=2)
    outcome = train(session, batches, scripted([0.5, 0.5, 0.6]))
    assert outcome.status is TrainingStatus.COMPLETED
    assert outcome.reason == "val/loss did not improve for 2 epochs"
    assert (outcome.epochs_done, outcome.best_epoch) == (3, 1)


def test_patience_that_ran_out_stays_so_after_a_resume(make_session, batches):
    session = make_session(epochs=4, patience=2)
    expected = train(session, batches, scripted([0.5, 0.5, 0.6]))
    resumed = make_session(epochs=4, patience=2)
    resumed.load(session.state())
    outcome = train(resumed, batches, scripted([]))
    assert replace(outcome, best_state={}) == replace(expected, best_state={})


def test_patience_has_no_say_in_the_last_epoch(make_session, batches):
    session = make_session(epochs=3, patience=2)
    assert train(session, batches, scripted([0.5, 0.5, 0.6])).reason == ""


def test_nothing_is_left_to_do_after_the_last_epoch(make_session, batches):
    session = make_session(epochs=1)
    train(session, batches, None)
    before = weights(session)
    assert train(session, batches, None).epochs_done == 1
    assert_same(before, weights(session))


def test_penalties_act(make_session, batches):
    norms = []
    for penalty in ("none", {"kind": "l2", "strength": 10.0}):
        session = make_session(Strategy(lr=0.01, weight_decay=0, penalty=penalty))
        train(session, batches, None)
        norms.append(
            sum(tensor.norm().item() for name, tensor in weights(session).items() if name.endswith("0.weight"))
        )
    assert norms[1] < 0.95 * norms[0]


def test_the_learning_rate_follows_the_schedule(make_session, batches):
    seen = []
    session = make_session(Strategy(lr=0.01, schedule={"kind": "cosine", "warmup": 0.0}), epochs=2)
    train(session, batches, None, lambda result: seen.append(result.lr))
    assert seen == pytest.approx([0.01, 0.005])


def test_a_penalty_of_activations_moves_weights_but_is_no_part_of_the_reported_loss(make_session, batches):
    losses, ends = [], []
    for penalty in ("none", {"kind": "delta", "strength": 100.0, "attention": False}):
        session, seen = make_session(Strategy(lr=0.01, penalty=penalty), epochs=1), []
        one = next(iter(batches.epoch(3, 1, None)))
        with torch.random.fork_rng():
            train_epoch(session, [one])
        seen.append(session.partial.loss)
        losses.append(seen)
        ends.append(weights(session))
    assert losses[0] == losses[1]
    assert not torch.equal(*(end["network.backbone.blocks.0.0.weight"] for end in ends))


def test_a_term_that_is_not_finite_never_reaches_the_weights(make_session, batches):
    session = make_session(Strategy(penalty="bss"), epochs=1)
    session.adapted.activation_penalty._eta = float("inf")
    before = {name: one.clone() for name, one in session.model.network.named_parameters()}
    outcome = train(session, batches, None)
    assert outcome.status is TrainingStatus.NON_FINITE
    assert not [name for name, one in session.model.network.named_parameters() if not torch.equal(one, before[name])]


@pytest.mark.parametrize(("epochs", "steps", "name"), [(0, 3, "epochs"), (1, 0, "steps_per_epoch")])
def test_an_empty_plan_is_refused(make_session, epochs, steps, name):
    session = make_session()
    with pytest.raises(ValueError, match=f"{name} is 0, but must be >= 1"):
        prepare(session.adapted, replace(session.plan, epochs=epochs), steps, session.loss)


def test_accumulate_below_one_is_refused(make_session):
    with pytest.raises(ValueError, match="accumulate is 0, but must be >= 1"):
        make_session(accumulate=0)


def test_an_epoch_without_batches_is_refused(make_session):
    class Empty:
        def epoch(self, seed, epoch, augmenter, first):
            return iter(())

    session = make_session()
    with pytest.raises(ValueError, match="epoch 1 has no batch"):
        train(session, Empty(), None)


def test_bf16_trains_float32_weights(make_session, batches):
    session = make_session(Strategy(lr=0.01, precision="bf16"), epochs=2)
    outcome = train(session, batches, None)
    assert outcome.status is TrainingStatus.COMPLETED
    assert all(p.dtype == torch.float32 for p in session.model.parameters())

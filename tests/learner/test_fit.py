"""The final fit trains the whole schedule, wherever it was killed; real training of a small head on a few images."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from graft.core.errors import TrialError
from graft.data.dataset import Dataset
from graft.learner import fit as module
from graft.learner.final_model import FinalModel, final_network
from graft.learner.fit import FitTask, fit, fit_in_group, scaled
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.components.schedule import Constant
from graft.spec.load import parse_job
from graft.spec.strategy import MAX_LR, Strategy
from graft.spec.training import FitSpec
from graft.training.checkpoint import load_state, save_state
from graft.workers.elastic_host import Rank

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=10, lr=0.01)
STILL = PROBE.model_copy(update={"lr": 1e-12, "schedule": Constant()})
TWO = Schedule((Stretch(0, 2, PROBE), Stretch(2, 4, PROBE.model_copy(update={"lr": 0.05}))))
STEPS = 3  # thirty samples, ten a batch

MakeTask = Callable[..., FitTask]


class Killed(BaseException):
    """The process is gone."""


def task_in(
    directory: Path, dataset: Dataset, schedule: Schedule = TWO, seconds: float | None = None, **fit: Any
) -> FitTask:
    raw = {"name": "x", "data": "digits", "training": {"epochs": 9, "patience": 1, "fit": fit}}
    model = FinalModel(parse_job(raw), dataset.directory, schedule, directory / "weights.safetensors")
    return FitTask(model, num_threads=1, seconds=seconds)


@pytest.fixture
def make(dataset: Dataset, tmp_path: Path) -> MakeTask:
    """``make("name", schedule=…, checkpoint_steps=1)``: a task with a directory of its own."""
    return lambda name="here", **options: task_in(tmp_path / name, dataset, **options)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """Weights of a fit that nothing has disturbed."""
    task = task_in(tmp_path_factory.mktemp("whole"), dataset)
    fit(task)
    return weights(task)


def weights(task: FitTask) -> dict[str, Tensor]:
    return load_state(task.model.weights).part("best")


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one if one[name].is_floating_point())


def kill_at_save(monkeypatch: pytest.MonkeyPatch, number: int) -> list[Any]:
    """The process dies right after the state was saved for the `number`-th time; returns what was saved."""
    saved: list[Any] = []

    def save_and_die(state: Any, path: Path) -> None:
        save_state(state, path)
        saved.append(state)
        if len(saved) == number:
            raise Killed

    monkeypatch.setattr(module, "save_state", save_and_die)
    return saved


def fit_and_die(task: FitTask, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A fit that does not outlive the `number`-th time its state is saved."""
    with monkeypatch.context() as patched:
        kill_at_save(patched, number)
        with pytest.raises(Killed):
            fit(task)


def test_it_trains_on_all_rows_but_the_test_rows_to_the_end(make: MakeTask) -> None:
    task = make()
    done = fit(task)
    assert task.model.job.training.patience == 1  # which is for trials
    assert (done["epochs"], done["samples"]) == (4, 30)
    assert done["train/loss"] > 0
    state = load_state(task.model.weights)
    assert state.epochs_done == 4
    assert state.part("best").keys() >= {"head.1.weight", "head.1.bias"}
    assert [path.name for path in task.model.weights.parent.iterdir()] == ["weights.safetensors"]


def test_it_can_end_at_an_epoch_of_the_whole_schedule(make: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of the winner's best epoch are lost: what is trained again is that epoch, bit for bit."""
    saved = kill_at_save(monkeypatch, 4 * STEPS)
    with pytest.raises(Killed):
        fit(make("whole", checkpoint_steps=1))
    monkeypatch.undo()
    task = replace(make("again"), last_epoch=3)
    assert fit(task)["epochs"] == 3
    assert same(saved[3 * STEPS - 1].part("model"), weights(task))
    assert not same(saved[-1].part("model"), weights(task))


def test_its_weights_are_those_of_the_final_classifier(make: MakeTask, dataset: Dataset) -> None:
    task = make()
    fit(task)
    network, _ = final_network(task.model, dataset, num_threads=1)
    assert torch.equal(network.state_dict()["head.1.weight"], weights(task)["head.1.weight"])
    assert not network.training


@pytest.mark.parametrize("save", [1, 2 * STEPS, 2 * STEPS + 2, 4 * STEPS])
def test_killed_anywhere_it_goes_on_as_if_it_had_not_been(
    make: MakeTask, whole: Mapping[str, Tensor], monkeypatch: pytest.MonkeyPatch, save: int
) -> None:
    broken = make(checkpoint_steps=1)
    fit_and_die(broken, monkeypatch, save)
    assert broken.state_file.exists()
    assert not broken.model.weights.exists()
    assert fit(broken)["epochs"] == 4
    assert same(whole, weights(broken))
    assert not broken.state_file.exists()


def test_killed_twice_it_still_goes_on(
    make: MakeTask, whole: Mapping[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make(checkpoint_steps=1)
    for _ in range(2):
        fit_and_die(broken, monkeypatch, 4)
    fit(broken)
    assert same(whole, weights(broken))


def test_a_damaged_state_is_none(make: MakeTask, whole: Mapping[str, Tensor]) -> None:
    broken = make()
    broken.state_file.parent.mkdir()
    broken.state_file.write_bytes(b"torn")
    fit(broken)
    assert same(whole, weights(broken))


def test_every_stretch_is_trained_under_its_own_strategy(make: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    real = module.build_learner

    def build(training_data: Any, strategy: Strategy, *more: Any) -> Any:
        rates.append(strategy.lr)
        assert training_data.epochs == 4  # the learning rate runs over the whole schedule
        return real(training_data, strategy, *more)

    monkeypatch.setattr(module, "build_learner", build)
    fit(make())
    assert rates == [0.01, 0.05]


def test_the_second_stretch_goes_on_from_the_first(make: MakeTask) -> None:
    moves = PROBE.model_copy(update={"schedule": Constant()})
    first = make("first", schedule=Schedule((Stretch(0, 2, moves), Stretch(2, 4, STILL))))
    other = make("other", schedule=Schedule((Stretch(0, 4, moves),)))
    untouched = make("untouched", schedule=Schedule((Stretch(0, 4, STILL),)))
    for task in (first, other, untouched):
        fit(task)
    two_epochs = make("two", schedule=Schedule((Stretch(0, 2, moves),)))
    fit(two_epochs)
    assert distance(weights(first), weights(two_epochs)) < 1e-8
    assert distance(weights(first), weights(untouched)) > 1e-3
    assert distance(weights(first), weights(other)) > 1e-3


def test_it_ends_early_rather_than_late(make: MakeTask) -> None:
    task = make(seconds=1e-9)
    done = fit(task)
    assert done["epochs"] == 1
    assert load_state(task.model.weights).epochs_done == 1
    assert fit(make("patient", seconds=1e9, schedule=Schedule((Stretch(0, 2, PROBE),))))["epochs"] == 2


def test_it_ends_before_the_epoch_that_would_be_late(make: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 100_000))

    class Ticking:
        """Every look at it costs a second."""

        def now(self) -> float:
            return 0.0

        def elapsed(self) -> float:
            return float(next(seconds))

    monkeypatch.setattr(module, "SystemClock", Ticking)
    done = fit(make(seconds=14.0, checkpoint_seconds=1e9))
    # four looks an epoch: 5 s after the first, and so on
    assert 1 < done["epochs"] < 4


def test_a_state_is_saved_as_often_as_was_asked_for(make: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps_saved(**options: Any) -> list[tuple[int, int]]:
        task = make(f"{options}", **options)
        with monkeypatch.context() as patched:
            saved = kill_at_save(patched, 10**9)
            fit(task)
        return [(state.epochs_done, state.partial.steps) for state in saved[:-1]]  # the last one is the weights

    assert steps_saved(checkpoint_steps=2) == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert steps_saved(checkpoint_seconds=1e9) == []
    assert len(steps_saved(checkpoint_seconds=1e-9)) >= 4 * STEPS


def test_a_loss_that_is_no_number_is_told_with_what_to_do(make: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make(checkpoint_steps=1)
    fit_and_die(task, monkeypatch, STEPS)
    state = load_state(task.state_file)
    bad = {name: torch.full_like(tensor, float("nan")) if "head" in name else tensor
           for name, tensor in state.tensors.items()}  # fmt: skip
    save_state(replace(state, tensors=bad), task.state_file)
    with pytest.raises(TrialError, match=r"the final fit ended early: .*set training\.final_on to `train`") as caught:
        fit(task)
    assert "\n" not in str(caught.value)


def test_a_group_of_one_needs_no_other(make: MakeTask, whole: Mapping[str, Tensor]) -> None:
    task = make()
    fit_in_group(Rank(0, 1, 0, torch.device("cpu")), task)
    assert same(whole, weights(task))


@pytest.mark.parametrize(
    ("spec", "workers", "batch_size", "lr"),
    [
        ({}, 4, 10, 0.01),
        ({"batch": "scaled"}, 1, 10, 0.01),
        ({"batch": "scaled"}, 4, 40, 0.04),
        ({"batch": "scaled", "lr_rule": "linear"}, 2, 20, 0.02),
        ({"batch": "scaled", "lr_rule": "sqrt"}, 4, 40, 0.02),
        ({"batch": "scaled", "lr_rule": "none"}, 4, 40, 0.01),
    ],
)
def test_a_scaled_batch_grows_with_the_workers(spec: dict[str, Any], workers: int, batch_size: int, lr: float) -> None:
    found = scaled(PROBE, FitSpec(**spec), workers)
    assert (found.batch_size, found.lr) == (batch_size, pytest.approx(lr))
    assert found.model_copy(update={"batch_size": PROBE.batch_size, "lr": PROBE.lr}) == PROBE


def test_a_rate_stays_legal() -> None:
    fast = PROBE.model_copy(update={"lr": 9.0})
    assert scaled(fast, FitSpec(batch="scaled"), 8).lr == MAX_LR


def test_a_scaled_batch_is_that_of_the_workers_it_was_planned_for(
    make: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[int, float]] = []
    real = module.build_learner

    def build(training_data: Any, strategy: Strategy, *more: Any) -> Any:
        trained.append((strategy.batch_size, strategy.lr))
        return real(training_data, strategy, *more)

    monkeypatch.setattr(module, "build_learner", build)
    # two of three workers have left: the one that goes on keeps the batch of all three
    fit(replace(make(schedule=Schedule((Stretch(0, 1, PROBE),)), batch="scaled"), workers=3))
    assert trained == [(30, pytest.approx(0.03))]

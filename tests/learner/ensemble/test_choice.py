"""An ensemble is kept only where the winner alone is worse by more than chance."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from graft.data.dataset import Dataset, Split
from graft.learner.ensemble import choice
from graft.learner.ensemble.choice import choose_members
from graft.learner.ensemble.members import Member, answer
from graft.learner.ensemble.worth import FEWEST_ROWS
from graft.learner.final_model import FinalModel
from graft.learner.training_data import TrainingData, training_data_of
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import TaskSpec
from graft.spec.tasks.lookup import metric_named
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression
from graft.tasks.registry import build_task

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=10, lr=0.01)
ROWS = 300


@pytest.fixture
def model(dataset: Dataset, tmp_path: Path) -> FinalModel:
    job = parse_job({"name": "x", "data": "digits"})
    return FinalModel(job, dataset.directory, Schedule((Stretch(0, 1, PROBE),)), tmp_path / "weights.safetensors")


class Said:
    """Stands for networks: what each candidate says of rows that there are as many of as asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rows: int = ROWS) -> None:
        self.outputs: dict[str, torch.Tensor] = {}
        self.rng = np.random.default_rng(0)
        self.targets = self.rng.integers(0, 2, rows)
        self.kin: np.ndarray | None = None
        monkeypatch.setattr(choice, "hear", self.hear)
        monkeypatch.setattr(choice, "_rows", lambda data: np.arange(rows))
        monkeypatch.setattr(choice, "training_data_of", self.data_of)

    def data_of(self, job: object, dataset: Dataset, threads: int) -> TrainingData:
        data = training_data_of(job, dataset, threads)  # type: ignore[arg-type]
        arrays = SimpleNamespace(targets=self.targets, facts=data.arrays.facts, names=data.arrays.names, kin=self.kin)
        return replace(data, arrays=arrays)  # type: ignore[arg-type]

    def hear(self, members: Sequence[Member], data: object, rows: np.ndarray) -> dict[int, torch.Tensor]:
        return {place: self.outputs[one.trial] for place, one in enumerate(members)}

    def model(self, name: str, skill: float, noise: float = 1.0) -> None:
        """Leans to the truth so far, and errs by itself."""
        lean = skill * (2 * self.targets - 1) + noise * self.rng.normal(size=len(self.targets))
        self.outputs[name] = torch.from_numpy(np.stack([-lean, lean], axis=1)).float()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    return Said(monkeypatch)


def test_models_that_err_apart_answer_together(said: Said, model: FinalModel) -> None:
    for name in ("t01", "t02", "t03"):
        said.model(name, skill=0.6)
    found = choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)
    assert found["is_kept"]
    assert found["score"] > found["alone"]
    assert found["gain"] > found["error"] > 0
    members = found["members"]
    assert members[0]["trial"] == "t01"
    assert sum(one["share"] for one in members) == pytest.approx(1)
    assert all("temperature" in one["facts"] for one in members)
    assert (found["candidates"], found["rows"], found["left_out"]) == (3, ROWS, [])


def test_rows_that_belong_together_speak_as_one(said: Said, model: FinalModel) -> None:
    """Six rows each are right and wrong together: no more is known of the gain than of fifty rows."""
    kin = np.arange(ROWS) // 6
    said.targets = said.targets[kin * 6]
    for name in ("t01", "t02", "t03"):
        said.model(name, skill=0.6)
        said.outputs[name] = said.outputs[name][kin * 6]
    plain = choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)
    said.kin = kin
    found = choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)
    assert found["error"] == pytest.approx(6**0.5 * plain["error"], rel=0.1)
    assert found["is_kept"]


@pytest.mark.parametrize(
    ("spec", "metric", "names"),
    [(Regression(), "mae", ("size",)), (Multilabel(), "map", ("red", "wide"))],
    ids=["regression", "multilabel"],
)
def test_models_of_other_tasks_answer_together(
    monkeypatch: pytest.MonkeyPatch, model: FinalModel, spec: TaskSpec, metric: str, names: tuple[str, ...]
) -> None:
    said = Said(monkeypatch)
    truth = said.rng.normal(size=(ROWS, len(names)))
    numbers = truth * 30 + 100 if spec.kind == "regression" else (truth > 0).astype(np.uint8)
    facts = build_task(spec).facts(numbers, names)

    def data_of(job: object, dataset: Dataset, threads: int) -> TrainingData:
        arrays: Any = SimpleNamespace(targets=numbers, facts=facts, names=names, kin=None)
        data = training_data_of(job, dataset, threads)  # type: ignore[arg-type]
        return replace(data, arrays=arrays, task_spec=spec, metric=metric_named(metric, spec.kind))

    monkeypatch.setattr(choice, "training_data_of", data_of)
    said.outputs = {
        name: torch.from_numpy(truth + said.rng.normal(size=truth.shape)).float() for name in ("t01", "t02", "t03")
    }
    found = choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)
    assert (found["is_kept"], len(found["members"])) == (True, 3)
    assert found["gain"] > found["error"] > 0
    assert all(not set(one["facts"]) & set(facts) for one in found["members"])


def test_copies_of_the_winner_bring_nothing(said: Said, model: FinalModel) -> None:
    said.model("t01", skill=0.6)
    said.outputs |= {"t02": said.outputs["t01"], "t03": said.outputs["t01"].clone()}
    assert not choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)["is_kept"]


def test_noise_is_not_taken_for_a_gain(said: Said, model: FinalModel) -> None:
    said.model("t01", skill=2.0, noise=0.5)
    for number in range(2, 12):
        said.model(f"t{number:02d}", skill=0.0, noise=0.3)
    assert not choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)["is_kept"]


def test_what_answers_without_numbers_is_left_out(said: Said, model: FinalModel) -> None:
    for name in ("t01", "t02", "t03"):
        said.model(name, skill=0.6)
    said.outputs["t02"][3, 0] = float("nan")
    found = choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)
    assert found["left_out"] == ["t02"]
    assert {one["trial"] for one in found["members"]} <= {"t01", "t03"}


def test_without_the_winner_there_is_none(said: Said, model: FinalModel) -> None:
    for name in ("t01", "t02", "t03"):
        said.model(name, skill=0.6)
    said.outputs["t01"][0, 0] = float("inf")
    found = choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)
    assert (found["is_kept"], found["members"]) == (False, [])


def test_a_few_rows_decide_nothing(monkeypatch: pytest.MonkeyPatch, model: FinalModel) -> None:
    said = Said(monkeypatch, rows=FEWEST_ROWS - 1)
    for name in ("t01", "t02"):
        said.model(name, skill=0.6)
    assert not choose_members([Member(model, trial=name) for name in said.outputs], 5, 1)["is_kept"]


def test_weights_that_are_damaged_are_left_out(model: FinalModel, dataset: Dataset) -> None:
    model.weights.write_bytes(b"torn")
    found = choose_members([Member(model, trial="t01"), Member(model, trial="t02")], 5, 1)
    assert (found["left_out"], found["is_kept"]) == (["t01", "t02"], False)
    assert found["rows"] == len(dataset.rows(Split.VALIDATION))


def test_members_answer_at_their_own_sizes(model: FinalModel, dataset: Dataset, tmp_path: Path) -> None:
    """Two real networks, hardly trained; the mean lies between what they say."""
    from graft.learner.fit import FitTask, fit
    from graft.tasks.registry import build_task

    members = []
    for number, size in enumerate((32, 40)):
        schedule = Schedule((Stretch(0, 1, PROBE.model_copy(update={"resolution": size})),))
        one = FinalModel(model.job, dataset.directory, schedule, tmp_path / str(size) / "weights.safetensors")
        fit(FitTask(one, num_threads=1))
        members.append(Member(one, 0.5, {}, f"t{number}"))
    data = training_data_of(model.job, dataset, 1)
    rows = data.arrays.rows(Split.TEST)
    found = answer(members, data, rows, views=2)
    task = build_task(data.task_spec)
    each = [task.decide(answer([one], data, rows).outputs[0], {}) for one in members]
    assert task.decide(found.outputs[0], {}) == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    assert len(found.outputs) == len(found.seconds) == 2
    assert found.seconds[0] > found.seconds_alone > 0

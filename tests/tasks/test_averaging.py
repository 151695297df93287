"""Answers are averaged, not outputs; and an average is read by whatever reads one model's outputs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from graft.spec.tasks.classification import Classification
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression
from graft.tasks.averaging import averaged, can_average, evidence_of, losses_of
from graft.tasks.registry import build_task

TASKS = {"classification": Classification, "multilabel": Multilabel, "regression": Regression}
FACTS: dict[str, dict[str, Any]] = {
    "classification": {"num_outputs": 3},
    "multilabel": {"num_outputs": 3, "positives": [1, 1, 1]},
    "regression": {"num_outputs": 3, "mean": [1.0, 2.0, 3.0], "std": [1.0, 10.0, 0.1]},
}


@pytest.fixture(params=list(TASKS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def outputs() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [3 * torch.randn(5, 3, generator=generator) for _ in range(3)]


def targets_of(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return {
        "classification": rng.integers(0, 3, 5),
        "multilabel": rng.integers(0, 2, (5, 3)).astype(np.uint8),
        "regression": rng.normal(size=(5, 3)),
    }[kind]


def test_what_is_decided_is_the_weighted_mean_of_what_each_decides(kind: str, outputs: list[torch.Tensor]) -> None:
    task, facts, shares = build_task(TASKS[kind]()), FACTS[kind], [0.5, 0.3, 0.2]
    together = task.decide(averaged(task, outputs, [facts] * 3, shares), facts)
    mean = sum(share * task.decide(one, facts) for share, one in zip(shares, outputs, strict=True))
    assert together == pytest.approx(mean, abs=1e-9)


def test_each_answers_by_its_own_temperature(outputs: list[torch.Tensor]) -> None:
    task = build_task(Classification())
    facts = [{"num_outputs": 3, "temperature": 4.0}, {"num_outputs": 3}]
    together = task.decide(averaged(task, outputs[:2], facts, [0.5, 0.5]), FACTS["classification"])
    mean = (task.decide(outputs[0], facts[0]) + task.decide(outputs[1], facts[1])) / 2
    assert together == pytest.approx(mean, abs=1e-9)


def test_one_alone_keeps_its_outputs(kind: str, outputs: list[torch.Tensor]) -> None:
    assert averaged(build_task(TASKS[kind]()), outputs[:1], [FACTS[kind]], [1.0]) is outputs[0]


def test_outputs_stay_finite_where_all_are_certain() -> None:
    for kind in ("classification", "multilabel"):
        certain = torch.tensor([[800.0, -800.0, -800.0]])
        found = averaged(build_task(TASKS[kind]()), [certain, certain], [FACTS[kind]] * 2, [0.5, 0.5])
        assert bool(torch.isfinite(found).all())
        assert found[0].argmax() == 0


def test_evidence_of_an_average_is_the_average_of_evidence(kind: str, outputs: list[torch.Tensor]) -> None:
    task, facts, shares, targets = build_task(TASKS[kind]()), FACTS[kind], [0.5, 0.3, 0.2], targets_of(kind)
    names = ("a", "b", "c")
    each = [evidence_of(task, one, targets, names, facts) for one in outputs]
    together = evidence_of(task, averaged(task, outputs, [facts] * 3, shares), targets, names, facts)
    assert together == pytest.approx(np.tensordot(shares, each, axes=1), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("classification", lambda x, y: torch.nn.functional.cross_entropy(x, torch.from_numpy(y))),
        (
            "multilabel",
            lambda x, y: torch.nn.functional.binary_cross_entropy_with_logits(x, torch.from_numpy(y).float()),
        ),
        ("regression", lambda x, y: ((x - (torch.from_numpy(y) - MEAN) / STD) ** 2).mean()),
    ],
)
def test_losses_are_those_that_training_knows(
    kind: str, loss: Callable[..., torch.Tensor], outputs: list[torch.Tensor]
) -> None:
    task, targets = build_task(TASKS[kind]()), targets_of(kind)
    evidence = evidence_of(task, outputs[0], targets, ("a", "b", "c"), FACTS[kind])
    found = losses_of(task.spec.link, evidence).mean()
    assert found == pytest.approx(float(loss(outputs[0], targets)), rel=1e-4)


MEAN, STD = (torch.tensor(FACTS["regression"][name], dtype=torch.float64) for name in ("mean", "std"))


def test_a_task_that_says_no_link_has_no_average(outputs: list[torch.Tensor]) -> None:
    class Other(Classification):
        link = ""

    assert not can_average("")
    with pytest.raises(ValueError, match="has the link ``, but must have one that answers are averaged by"):
        averaged(build_task(Other()), outputs, [{}] * 3, [0.5, 0.3, 0.2])

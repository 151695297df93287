"""Searches by others that stand beside graft: their trials, without a training."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

HERE = Path(__file__).parent
LABELS = ["a"] * 10 + ["b"] * 15
SAMPLES = [f"{label}{place}" for place, label in enumerate(LABELS)]


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("searches.trials")


class Right:
    """Knows the class of the first few samples that it is asked for, and takes the others for the other class."""

    def __init__(self, right: int = 0) -> None:
        self.weights = torch.nn.Linear(1, 1)
        with torch.no_grad():
            self.weights.bias.fill_(right)

    def chosen(self, samples: Sequence[str]) -> np.ndarray:
        truth = np.array([int(one.startswith("b")) for one in samples])
        right = np.arange(len(samples)) < float(self.weights.bias.detach())
        return np.where(right, truth, 1 - truth)


def test_a_fifth_of_each_class_is_held_out_by_the_seed(trials: Any) -> None:
    learning, held = trials.Problem("text", SAMPLES, LABELS, 3, False).parts()
    assert sorted([*learning, *held]) == list(range(25))
    assert [LABELS[row] for row in held] == ["a"] * 2 + ["b"] * 3
    assert trials.Problem("text", SAMPLES, LABELS, 4, False).parts()[1] != held


@pytest.mark.parametrize("kind", ["image", "text"])
def test_the_first_trial_is_the_recipe_and_lies_in_the_ranges(trials: Any, kind: str) -> None:
    recipes = importlib.import_module({"image": "small.recipes", "text": "texts.recipes"}[kind])
    recipe = recipes.Tuning(from_probe=True) if kind == "image" else recipes.Tuning()
    for name, one in trials.SPACES[kind].items():
        assert one.first == getattr(recipe, name)
        assert one.first in one.of if one.between is None else one.between[0] <= one.first <= one.between[1]
    assert trials.GRACE[kind] < trials.EPOCHS[kind]


def test_the_best_epoch_of_the_best_trial_answers(trials: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = trials.Problem("text", SAMPLES, LABELS, 0, False)
    monkeypatch.setattr(trials, "_fresh", lambda kind, outputs, config: Right())
    for name, rights in {"first": [2, 3, 3, 1], "second": [2, 1]}.items():
        monkeypatch.setattr(trials, "_trained", lambda *_, rights=rights: iter([Right(one) for one in rights]))
        seen = [epoch for epoch, _ in trials.epochs_of(problem, {"lr": 0.1}, tmp_path / name)]
        assert seen == list(range(1, len(rights) + 1))
    homes = [tmp_path / "first", tmp_path / "second", tmp_path / "never began"]
    found, facts = trials.best_of(problem, homes, ["b7", "b8", "b9", "b10"])
    assert found.tolist() == ["b", "b", "b", "a"]
    assert facts == {"config": {"lr": 0.1}, "validation": pytest.approx(3 / 5), "epoch": 3, "trials": 3}


def test_no_epoch_at_all_is_told(trials: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="none of 1 trials has trained an epoch; allow more minutes"):
        trials.best_of(trials.Problem("text", SAMPLES, LABELS, 0, False), [tmp_path], ["b"])


def test_optuna_begins_with_the_recipe_prunes_and_ends_in_time(
    trials: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("searches.by_optuna")
    clock, configs = [0.0], []

    def epochs(problem: Any, config: Any, kept: Path) -> Iterator[tuple[int, float]]:
        configs.append(config)
        level = 0.9 - 0.1 * min(len(configs), 8)
        for epoch in range(1, 5):
            clock[0] += 1.0
            yield epoch, level + 0.01 * epoch

    monkeypatch.setattr(module, "epochs_of", epochs)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "best_of", lambda problem, homes, test: (np.array(["b"]), {"trials": len(configs)}))
    _, facts = module.search(trials.Problem("text", SAMPLES, LABELS, 0, False), ["b"], 0.5, tmp_path)
    assert configs[0] == trials.first_config("text")
    assert facts["pruned"] > 0, "what is below the median of those before goes"
    assert facts["trials"] == len(configs) > 31 / 4, "so that there is time for more"
    assert clock[0] == pytest.approx(31.0), "it ends with the first epoch after its time"

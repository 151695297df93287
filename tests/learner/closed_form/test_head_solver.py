"""A trial whose head is solved: one report, weights on the disk, nothing of the backbone changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graft.core.errors import SpecError
from graft.data.dataset import Split
from graft.learner.checkpoints import CheckpointStore
from graft.learner.closed_form import head_solver as module
from graft.learner.cross_validation.folds import Fold
from graft.learner.supervised import SupervisedFactory, build_learner
from graft.learner.training_data import TrainingData
from graft.learner.trial import TrialPayload, train_proposal
from graft.search.protocol import CheckpointEpochs, Proposal
from graft.spec.components.head import LogisticHead, PrototypeHead, RidgeHead
from graft.spec.components.selection import VarianceSelection
from graft.spec.strategy import Strategy
from graft.training.loop import TrainingStatus
from graft.training.world import ALONE

HEADS = {"logistic": LogisticHead(), "ridge": RidgeHead(), "prototype": PrototypeHead()}


def strategy(head: Any, **more: Any) -> Strategy:
    return Strategy(**{"head": head, "freeze": 1.0, "resolution": 32, **more}).canonical(17)


def solved(data: TrainingData, one: Strategy) -> dict[str, torch.Tensor]:
    learner = build_learner(data, one, (Split.TRAIN,))
    outcome = learner.train(None, validate=True)
    assert (outcome.status, outcome.epochs_done, outcome.best_epoch) == (TrainingStatus.COMPLETED, 1, 1)
    return {name: value.clone() for name, value in learner.session.model.changing_state().items()}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_trial_reports_once_and_leaves_its_weights(training_data: TrainingData, tmp_path: Path, head: Any) -> None:
    store, reports = CheckpointStore(tmp_path), []
    payload = TrialPayload(SupervisedFactory(training_data), store, CheckpointEpochs(every=1))
    proposal = Proposal("t01", strategy(head), epochs=1)

    def on_report(epoch: int, metrics: Any, notes: Any) -> bool:
        reports.append((epoch, dict(metrics)))
        return True

    train_proposal(proposal, payload, ALONE, on_report)
    [(epoch, metrics)] = reports
    assert epoch == 1
    assert metrics["val/accuracy"] > 0.3
    assert np.isfinite(metrics["train/loss"])
    assert {"logistic": "model/head/C", "ridge": "model/head/penalty"}.get(head.kind, "train/loss") in metrics
    first = store.best("t01", print).part("best")
    train_proposal(proposal, payload, ALONE, on_report)  # what was there is taken: it is not solved again
    assert reports[1][0] == 1
    assert all(torch.equal(store.best("t01", print).part("best")[name], value) for name, value in first.items())


def test_the_same_seed_gives_the_same_head_bit_for_bit(training_data: TrainingData) -> None:
    one, other = (solved(training_data, strategy(LogisticHead())) for _ in range(2))
    assert one.keys() == {"head.1.weight", "head.1.bias"}
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_selected_features_are_the_only_ones_with_a_weight(training_data: TrainingData) -> None:
    state = solved(training_data, strategy(RidgeHead(), select=VarianceSelection(threshold=0.05)))
    gone = state["head.0.scale"] == 0
    assert 0 < gone.sum() < len(gone)
    assert state["head.1.1.weight"][:, gone].abs().max() == 0


def test_weights_of_samples_count(training_data: TrainingData) -> None:
    count = len(training_data.arrays.targets)

    def weighted(weights: np.ndarray) -> torch.Tensor:
        arrays = replace(training_data.arrays, weights=weights, directory=None)
        return solved(replace(training_data, arrays=arrays), strategy(RidgeHead(penalty=1.0)))["head.1.weight"]

    plain = solved(training_data, strategy(RidgeHead(penalty=1.0)))["head.1.weight"]
    torch.testing.assert_close(weighted(np.full(count, 3.0)), plain, atol=1e-5, rtol=1e-3)
    assert not torch.allclose(weighted(np.arange(count) % 5.0), plain, atol=1e-3)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_strength_is_chosen_by_rows_that_are_left_out_with_their_like(training_data: TrainingData, head: Any) -> None:
    """Every row is there three times, and nothing but its copies tells what it is: as many features as fit them all."""
    rows = np.tile(training_data.arrays.rows(Split.TRAIN), 3)
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(len(rows), 18)).astype(np.float32))
    features[len(rows) // 3 :] = features[: len(rows) // 3].repeat(2, 1)

    def chosen(kin: np.ndarray | None) -> float:
        data = replace(training_data, arrays=replace(training_data.arrays, kin=kin))
        facts = module.solved(head, data, rows, features).facts
        return facts.get("head/penalty", facts.get("head/temperature", 1 / facts.get("head/C", 1.0)))

    assert chosen(np.arange(len(training_data.arrays.targets))) > 10 * chosen(None)


def test_folds_solve_heads_of_their_own(training_data: TrainingData) -> None:
    rows = training_data.arrays.rows(Split.TRAIN, Split.VALIDATION)
    codes = np.random.default_rng(0).permutation(len(rows)) % 2
    folds = tuple(Fold(rows[codes != code], rows[codes == code]) for code in range(2))
    learner = build_learner(replace(training_data, folds=folds), strategy(RidgeHead()), (Split.TRAIN,))
    outcome = learner.train(None, validate=True)
    name = f"val/{training_data.metric.name}"
    assert outcome.best_metrics[f"{name}_low"] <= outcome.best_metrics[name] <= outcome.best_metrics[f"{name}_high"]


def test_blocks_that_would_be_trained_are_refused(training_data: TrainingData) -> None:
    loose = Strategy(head=LogisticHead(), freeze=0.5, resolution=32)
    with pytest.raises(SpecError, match=r"strategy.head: is logistic, which is solved .* strategy.freeze is 0.5"):
        build_learner(training_data, loose, (Split.TRAIN,))


def test_more_rows_than_fit_into_memory_are_drawn_from_and_told(
    training_data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_NUMBERS", 1280 * 15)
    learner = build_learner(training_data, strategy(RidgeHead()), (Split.TRAIN,))
    count = len(training_data.arrays.rows(Split.TRAIN))
    assert f"is fitted to 15 of {count} rows" in learner.note
    assert learner.train(None, validate=True).epochs_done == 1


def test_features_that_are_not_finite_end_the_trial(
    training_data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = build_learner(training_data, strategy(RidgeHead()), (Split.TRAIN,))
    learner = replace(
        learner, solver=replace(learner.solver, features_of=lambda rows: np.full((len(rows), 1280), np.nan, np.float32))
    )
    outcome = learner.train(None, validate=True)
    assert outcome.status is TrainingStatus.NON_FINITE
    assert "are not finite" in outcome.reason

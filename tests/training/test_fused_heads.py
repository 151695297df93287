"""Heads that are trained together come out as if each had been trained alone."""

import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graft.core.seeds import derive_seed
from graft.data.batch import FEATURES as STORED
from graft.data.batch import Batch
from graft.data.batches import TrainingBatch
from graft.models.backbone import Backbone
from graft.models.network import Network, build_head
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.training.fused_heads import kinship, train_epoch_together
from graft.training.loop import Session, TrainingPlan, TrainingStatus, prepare, train_epoch
from graft.transfer.adapt import adapt

FEATURES, CLASSES, ROWS, BATCH, EPOCHS = 12, 4, 70, 16, 3
SEED = 5


class Features:
    """70 learnable rows of features; order is derived from seed and epoch. The last batch is smaller."""

    def __init__(self, is_weighted: bool = False) -> None:
        generator = torch.Generator().manual_seed(1)
        self.labels = torch.arange(ROWS) % CLASSES
        self.rows = torch.randn(CLASSES, FEATURES, generator=generator)[self.labels]
        self.weights = torch.arange(ROWS) % 4 / 1.5
        self.is_weighted = is_weighted
        self.rows += 0.5 * torch.randn(ROWS, FEATURES, generator=generator)

    def epoch(self, seed: int, epoch: int) -> Iterator[TrainingBatch]:
        generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        for rows in torch.randperm(ROWS, generator=generator).split(BATCH):
            yield TrainingBatch(Batch({STORED: self.rows[rows]}), self.labels[rows], len(rows), self._weights_of(rows))

    def _weights_of(self, rows: Tensor) -> Tensor | None:
        return self.weights[rows] if self.is_weighted else None


def session(seed: int = SEED, **fields: Any) -> Session:
    """A head on the features of a network of two blocks, all of it frozen."""
    strategy = Strategy.model_validate({"freeze": 1.0, "lr": 0.02, "batch_size": BATCH, **fields})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        blocks = [nn.Conv2d(3, 3, 1) for _ in range(2)]
        backbone = Backbone(nn.Conv2d(3, 3, 1), blocks, nn.Flatten(), FEATURES)
        network = Network(backbone, build_head(strategy.head, FEATURES, CLASSES))
    plan = TrainingPlan(strategy, epochs=EPOCHS, seed=seed)
    loss = build(strategy.loss, np.arange(ROWS) % CLASSES, {"num_outputs": CLASSES}, plan.device)
    return prepare(adapt(network, strategy, seed), plan, math.ceil(ROWS / BATCH), loss)


def kin_of(one: Session, field: str = STORED) -> Hashable | None:
    """What it has in common with others, if it is trained on batches with this tensor."""
    return kinship(one, Batch({field: torch.zeros(BATCH, FEATURES)}))


def end_epoch(one: Session) -> float:
    loss = one.partial.loss
    one.finish_epoch({"train/loss": loss})
    return loss


def alone(one: Session, epochs: int = EPOCHS) -> list[float]:
    losses = []
    for _ in range(epochs):
        assert train_epoch(one, Features().epoch(one.plan.seed, one.epochs_done + 1)) is None
        losses.append(end_epoch(one))
    return losses


def together(sessions: list[Session], epochs: int = EPOCHS) -> list[list[float]]:
    losses: list[list[float]] = [[] for _ in sessions]
    for _ in range(epochs):
        batches = [Features().epoch(one.plan.seed, one.epochs_done + 1) for one in sessions]
        assert train_epoch_together(sessions, batches) == [None] * len(sessions)
        for told, one in zip(losses, sessions, strict=True):
            told.append(end_epoch(one))
    return losses


HEADS: dict[str, list[dict[str, Any]]] = {
    "learning rates and decay": [{"lr": 0.001}, {"lr": 0.02, "weight_decay": 0.5}, {"lr": 0.1, "head_lr_factor": 0.5}],
    "penalties": [
        {},
        {"penalty": {"kind": "l1", "strength": 0.01}},
        {"penalty": {"kind": "l2", "strength": 0.1}},
        {"penalty": {"kind": "l2_sp", "strength": 0.1, "head_strength": 0.1}},
    ],
    "clipping": [{"clip_norm": norm, "lr": 0.1} for norm in (0.0, 0.05, 0.5)],
    "averages": [{"ema": decay, "lr": 0.1} for decay in (0.0, 0.5, 0.99)],
    "dropout": [{"head": {"kind": "linear", "dropout": rate}} for rate in (0.0, 0.2, 0.7)],
    "label smoothing": [{"loss": {"kind": "cross_entropy", "label_smoothing": value}} for value in (0.0, 0.1, 0.3)],
    "optimisers and schedules": [{}, {"optimizer": "sgd"}, {"schedule": "constant"}],
    "seeds": [{"seed": 1}, {"seed": 2}, {"seed": 2, "lr": 0.001}],
    "deep heads": [
        {"head": {"kind": "mlp", "width": 8, "depth": 2, "dropout": rate}, "lr": lr}
        for rate, lr in itertools.product((0.0, 0.4), (0.005, 0.05))
    ],
    "one": [{"lr": 0.01}],
}


@pytest.mark.parametrize("fields", HEADS.values(), ids=HEADS.keys())
def test_losses_and_weights_are_those_of_training_alone(fields: list[dict[str, Any]]) -> None:
    sessions, lonely = [session(**one) for one in fields], [session(**one) for one in fields]
    for told, expected in zip(together(sessions), map(alone, lonely), strict=True):
        assert told == pytest.approx(expected, abs=1e-5)
    for one, other in zip(sessions, lonely, strict=True):
        for name, value in other.model.changing_state().items():
            torch.testing.assert_close(one.model.changing_state()[name], value, rtol=0, atol=1e-5)
        assert one.best_epoch == other.best_epoch


def test_weighted_samples_count_as_they_do_alone() -> None:
    fields = [{"lr": 0.05}, {"lr": 0.05, "loss": {"kind": "cross_entropy", "label_smoothing": 0.2}}]
    sessions, lonely, plain = ([session(**one) for one in fields] for _ in range(3))
    for _ in range(EPOCHS):
        epoch = sessions[0].epochs_done + 1
        batches = [Features(is_weighted=True).epoch(SEED, epoch) for _ in fields]
        assert train_epoch_together(sessions, batches) == [None, None]
        for one, other, unweighted in zip(sessions, lonely, plain, strict=True):
            assert train_epoch(other, Features(is_weighted=True).epoch(SEED, epoch)) is None
            assert end_epoch(one) == pytest.approx(end_epoch(other), abs=1e-5)
            alone(unweighted, epochs=1)
    for one, other, unweighted in zip(sessions, lonely, plain, strict=True):
        for name, value in other.model.changing_state().items():
            torch.testing.assert_close(one.model.changing_state()[name], value, rtol=0, atol=1e-5)
            assert not torch.allclose(unweighted.model.changing_state()[name], value, atol=1e-3)


def test_they_differ_so_the_comparison_means_something() -> None:
    losses = [alone(session(**fields))[-1] for some in HEADS.values() for fields in some]
    assert len(set(losses)) > 15


def test_they_may_stand_in_different_epochs_and_leave_one_after_the_other() -> None:
    late, early, lonely = session(lr=0.01), session(lr=0.05), session(lr=0.05)
    alone(late, epochs=2)
    _, [first] = together([late, early], epochs=1)
    [rest] = together([early], epochs=2)
    assert [first, *rest] == pytest.approx(alone(lonely), abs=1e-5)


def test_one_goes_on_alone_from_where_it_was_together() -> None:
    pair, lonely = [session(lr=0.01), session(lr=0.05)], session(lr=0.05)
    _, [first] = together(pair, epochs=1)
    state = pair[1].state()
    moved = session(lr=0.05)
    moved.load(state)
    assert [first, *alone(moved, epochs=2)] == pytest.approx(alone(lonely), abs=1e-5)


def test_a_loss_without_end_ends_one_and_not_the_others() -> None:
    broken, fine, lonely = session(lr=0.02), session(lr=0.05), session(lr=0.05)
    with torch.no_grad():
        next(broken.model.network.head.parameters()).fill_(math.inf)
    before = {name: value.clone() for name, value in broken.model.changing_state().items()}
    ended, fine_ended = train_epoch_together([broken, fine], [Features().epoch(SEED, 1), Features().epoch(SEED, 1)])
    assert ended is not None
    assert ended[0] is TrainingStatus.NON_FINITE
    assert ended[1].startswith("loss is nan in epoch 1, step 1") or ended[1].startswith(
        "loss is inf in epoch 1, step 1"
    )
    assert fine_ended is None
    assert end_epoch(fine) == pytest.approx(alone(lonely, epochs=1)[0], abs=1e-5)
    for name, value in broken.model.changing_state().items():
        torch.testing.assert_close(value, before[name], equal_nan=True, rtol=0, atol=0)


def test_afterwards_weights_are_each_ones_own() -> None:
    pair = [session(lr=0.01), session(lr=0.05)]
    together(pair, epochs=1)
    heads = [next(one.model.network.head.parameters()) for one in pair]
    assert heads[0].untyped_storage().data_ptr() != heads[1].untyped_storage().data_ptr()
    assert heads[0].untyped_storage().nbytes() == heads[0].numel() * 4


class TestWhoIsKin:
    def test_values_of_the_head_do_not_matter(self) -> None:
        kin = {kin_of(session(**one)) for name in ("learning rates and decay", "penalties", "dropout", "seeds")
               for one in HEADS[name]}  # fmt: skip
        assert len(kin) == 1
        assert None not in kin

    def test_shapes_and_batches_do(self) -> None:
        wide, small = {"head": {"kind": "mlp", "width": 9}}, {"batch_size": 8}
        deep = {"head": {"kind": "mlp", "width": 8}}
        assert len({kin_of(session(**one)) for one in ({}, deep, wide, small)}) == 4

    @pytest.mark.parametrize(
        "fields",
        [{"loss": "focal"}, {"freeze": 0.5}, {"init": {"kind": "reinitialise", "blocks": 1}}, {"sam": 0.1}],
        ids=["another loss", "blocks that learn", "blocks drawn anew", "two passes a step"],
    )
    def test_some_are_trained_alone(self, fields: dict[str, Any]) -> None:
        assert kin_of(session(**fields)) is None

    def test_so_is_one_that_sees_images(self) -> None:
        assert kin_of(session(), "pixels") is None

    def test_and_one_in_the_middle_of_an_epoch(self) -> None:
        one = session()
        one.partial = one.partial.plus(BATCH, 1.0)
        assert kin_of(one) is None

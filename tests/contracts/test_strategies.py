"""What every strategy must keep, whichever of its parts it is made of. A new kind of part adds one row to `STRATEGIES`.

- what is frozen does not change by a bit, what is not frozen does;
- its penalty is zero where it must be, and its gradients are those of its value;
- its state goes through a file and comes back, and training goes on as if it had not;
- the same seed gives the same model, and the model gets better.
"""

import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from graft.core.errors import ArtifactError
from graft.core.seeds import derive_seed
from graft.data.batches import TrainingBatch
from graft.models.backbone import Backbone
from graft.models.load import load_backbone
from graft.models.network import Network, build_head, head_of
from graft.spec.registry import members
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy, modality_fields
from graft.tasks.registry import build_task
from graft.training.checkpoint import load_state, save_state
from graft.training.loop import Session, TrainingPlan, TrainingStatus, prepare, train
from graft.transfer.adapt import adapt, trained_network
from graft.transfer.penalties.activations import Examples

PARTS: dict[str, dict[str, object]] = {
    "plain": {},
    "reinitialise": {"init": {"kind": "reinitialise", "blocks": 2}},
    "mapped": {"init": {"kind": "mapped", "source": "efficientnet_lite0"}},
    "meta-learned": {"init": {"kind": "meta", "source": "earlier", "width": 6}},
    "l1": {"penalty": {"kind": "l1", "strength": 1e-4}},
    "l2": {"penalty": "l2"},
    "l2_sp": {"penalty": "l2_sp"},
    "l1_sp": {"penalty": "l1_sp"},
    "delta": {"penalty": {"kind": "delta", "strength": 0.1}},
    "delta without attention": {"penalty": {"kind": "delta", "attention": False, "blocks": 9}},
    "delta below redrawn blocks": {"penalty": "delta", "init": "reinitialise"},
    "bss": {"penalty": {"kind": "bss", "strength": 0.01, "smallest": 2}},
    "contrast": {"penalty": {"kind": "contrast", "strength": 2.0}},
    "contrast of adapters": {"penalty": "contrast", "tune": "lora", "freeze": 0.25},
    "co-tuning": {"penalty": "co_tuning"},
    "l2_sp of redrawn blocks": {"penalty": "l2_sp", "init": "reinitialise"},
    "mlp": {"head": {"kind": "mlp", "width": 8, "depth": 2, "dropout": 0.1}},
    "dropout": {"head": {"kind": "linear", "dropout": 0.2}},
    "label smoothing": {"loss": {"kind": "cross_entropy", "label_smoothing": 0.1}},
    "focal": {"loss": "focal"},
    "class balanced": {"loss": {"kind": "class_balanced", "beta": 0.9}},
    "binary cross-entropy": {"loss": "binary_cross_entropy"},
    "asymmetric": {"loss": "asymmetric"},
    "squared error": {"loss": "squared_error"},
    "huber": {"loss": "huber"},
    "quantile": {"loss": {"kind": "quantile", "quantile": 0.7}},
    "sgd": {"optimizer": "sgd", "lr": 0.05},
    "sgd without momentum": {"optimizer": {"kind": "sgd", "momentum": 0.0}, "lr": 0.2},
    "constant": {"schedule": "constant"},
    "one cycle": {"schedule": "one_cycle"},
    "clipped": {"clip_norm": 0.1},
    "averaged": {"ema": 0.9},
    "sharpness-aware": {"sam": 0.05},
    "all of these, with a penalty": {"sam": 0.05, "ema": 0.9, "clip_norm": 1, "penalty": "delta"},
    "stochastic norm": {"stochastic_norm": 0.5},
    "dropout within": {"backbone_dropout": 0.2},
    "stochastic depth": {"drop_path": 0.3},
    "bf16": {"precision": "bf16"},
    "light": {"augment": "light"},
}
WHICH_AND_WHEN: dict[str, dict[str, object]] = {
    "surgical": {"tune": "surgical"},
    "surgical in the middle": {"tune": {"kind": "surgical", "part": "middle", "blocks": 2}},
    "norms": {"tune": "norms", "penalty": "l2_sp"},
    "biases": {"tune": "biases"},
    "lora": {"tune": {"kind": "lora", "rank": 2, "dropout": 0.2}, "penalty": "l2"},
    "lora below redrawn blocks": {"tune": {"kind": "lora", "targets": ["0"]}, "init": "reinitialise"},
    "ia3": {"tune": "ia3", "optimizer": "sgd"},
    "gradual": {"unfreeze": {"kind": "gradual", "groups": 2, "until": 0.6}},
    "gradual with sgd": {"unfreeze": "gradual", "optimizer": "sgd", "lr": 0.05, "penalty": "l2_sp"},
    "head first": {"unfreeze": {"kind": "head_first", "share": 0.5, "warmup": 0.2}},
    "head first, then lora": {"unfreeze": "head_first", "tune": "lora", "init": "reinitialise"},
    "lr decay": {"lr_decay": 0.7},
}
"""Which weights train, and when. With a frozen backbone all of them are one."""
STRATEGIES = {
    f"{name}, freeze={freeze}": Strategy(**{"lr": 0.02, "head_lr_factor": 3, **fields, "freeze": freeze})
    for name, fields in {**PARTS, **WHICH_AND_WHEN}.items()
    for freeze in ((0.0, 0.5) if name in WHICH_AND_WHEN else (0.0, 0.5, 1.0))
}
EPOCHS, STEPS = 4, 3
PULLS = ("l1_sp", "l2_sp", "delta")
"""Penalties that pull new weights towards zero, and the others towards where they started."""


def _block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class _Residual(nn.Module):
    """A block as timm has them: with a place at which its branch may be left out."""

    def __init__(self, width):
        super().__init__()
        self.branch, self.drop_path, self.dropout = _block(width, width), None, nn.Dropout(0.0)

    def forward(self, x):
        branch = self.dropout(self.branch(x))
        return x + (branch if self.drop_path is None else self.drop_path(branch))


NAMES = ("a", "b", "c")
LABELS = np.arange(36) % 3
TARGETS = {
    "classification": LABELS,
    "multilabel": (np.arange(3) <= LABELS[:, None]).astype(np.uint8),
    "regression": np.eye(3)[LABELS] * [1.0, 10.0, 100.0] + 1000,
}
"""What each task is given of the same 36 images: three outputs always."""


def task_of(strategy):
    kind = next(iter(strategy.loss.tasks), "classification")
    return build_task(members("task")[kind]())


class _Rows:
    """36 images of three classes; the augmentation is noise, drawn as the real one is."""

    def __init__(self, strategy, device="cpu"):
        generator = torch.Generator().manual_seed(0)
        self.targets = torch.from_numpy(TARGETS[task_of(strategy).spec.kind]).to(device)
        centres = torch.randn(3, 3, 8, 8, generator=generator)
        images = centres[torch.from_numpy(LABELS)] + 0.3 * torch.randn(36, 3, 8, 8, generator=generator)
        self.images = images.to(device)

    def epoch(self, seed, epoch, augmenter, first):
        generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        for index, rows in enumerate(torch.randperm(36, generator=generator).split(12)):
            if index >= first:
                noise = torch.Generator().manual_seed(derive_seed(seed, "noise", epoch, index))
                yield TrainingBatch(augmenter(self.images[rows], noise), self.targets[rows], len(rows))


def noise(images, generator):
    return images + 0.05 * torch.randn(images.shape, generator=generator)


def loss_of(strategy, device="cpu"):
    task = task_of(strategy)
    training = TARGETS[task.spec.kind]
    assert task.num_outputs(NAMES) == 3
    return task.loss(strategy.loss, training, task.facts(training, NAMES), device)


def session_of(strategy, epochs=EPOCHS, residual=None, device="cpu"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        chance = strategy.drop_path or strategy.backbone_dropout is not None
        blocks = [_Residual(6) if (chance if residual is None else residual) else _block(6, 6) for _ in range(4)]
        backbone = Backbone(_block(3, 6), blocks, pool, 6)
        head = head_of(strategy, backbone, 3) if strategy.init.map_shape else build_head(strategy.head, 6, 3)
        network = Network(backbone, head)
    plan = TrainingPlan(strategy, epochs, seed=1, device=device)
    adapted = adapt(network.to(device), strategy, 1)
    session = prepare(adapted, plan, STEPS, loss_of(strategy, device))
    if device == "cpu" and adapted.activation_penalty is not None:
        adapted.activation_penalty.fit(Examples(lambda: examples(strategy), source_head))
    return session


def examples(strategy):
    rows = _Rows(strategy)
    return [(rows.images[:18], rows.targets[:18].numpy()), (rows.images[18:], rows.targets[18:].numpy())]


def source_head():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return nn.Linear(6, 10)


def weights(session):
    return {name: tensor.clone() for name, tensor in session.model.network.state_dict().items()}


MOVES = {
    "norms": lambda name: name.split(".")[-2] == "1",
    "biases": lambda name: name.endswith("bias"),
    "lora": lambda name: ".up." in name or ".down." in name,
    "ia3": lambda name: name.endswith("scale"),
}
"""What a tuning moves of the blocks of `_block`; the others move all of the blocks that they train."""


def frozen_names(session):
    """Names below the cut, of blocks that the tuning leaves out, and of what it leaves in those it trains."""
    adapted, tune = session.adapted, session.plan.strategy.tune
    stem = ["backbone.stem."] * (adapted.cut > 0)
    blocks = [f"backbone.blocks.{index}." for index in range(adapted.num_blocks)]
    redrawn = tuple(one for one in blocks if any(name.startswith(one) for name in adapted.redrawn))
    left = (*stem, *blocks[: adapted.cut], *(one for one in blocks[adapted.stop :] if one not in redrawn))
    moves = MOVES.get(tune.kind, lambda name: True)
    kept = {name for name in weights(session) if name.startswith("backbone") and not moves(name)}
    return {name for name in weights(session) if left and name.startswith(left)} | {
        name for name in kept if not (redrawn and name.startswith(redrawn)) and adapted.stop > adapted.cut
    }


every_tuning = pytest.mark.parametrize(
    "strategy",
    [one for name, one in STRATEGIES.items() if name.partition(",")[0] in WHICH_AND_WHEN]
    + [Strategy(tune="lora", unfreeze="gradual", lr_decay=0.5, freeze=1.0)],
    ids=lambda one: one.label(),
)
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())


GROUPS = {
    "initialisation": "init",
    "tuning": "tune",
    "unfreezing": "unfreeze",
    "penalty": "penalty",
    "head": "head",
    "loss": "loss",
    "optimizer": "optimizer",
    "schedule": "schedule",
}
"""Augmentations have a suite of their own: test_augmentations."""


@pytest.mark.parametrize("group", GROUPS)
def test_every_kind_of_every_part_is_in_this_suite(group):
    trained = {kind for kind, spec in members(group).items() if not getattr(spec, "solved_by", "")}
    assert {getattr(one, GROUPS[group]).kind for one in STRATEGIES.values()} == trained


@dataclass(frozen=True)
class Trained:
    """A session that was trained to its end, with its weights before and after, and the loss of each epoch."""

    strategy: Strategy
    session: Session
    before: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]
    losses: list[float]


@pytest.fixture(params=STRATEGIES.values(), ids=STRATEGIES.keys(), scope="module")
def trained(request):
    """Trained once for all tests, which change gradients alone."""
    session = session_of(request.param)
    before, losses = weights(session), []
    done = train(session, _Rows(request.param), None, lambda result: losses.append(result.metrics["train/loss"]), noise)
    assert done.status is TrainingStatus.COMPLETED
    return Trained(request.param, session, before, weights(session), losses)


def test_frozen_stays_frozen_to_the_bit_and_the_rest_moves(trained):
    changed = {name for name, tensor in trained.after.items() if not torch.equal(tensor, trained.before[name])}
    mapping = ("head.0.",) if trained.strategy.init.map_shape else ()  # numbers that a meta-training has found
    free = trained.after.keys() - frozen_names(trained.session)
    assert changed == {one for one in free if not one.startswith(mapping)}


def test_frozen_parameters_take_no_part(trained):
    session = trained.session
    named = dict(session.model.network.named_parameters())
    optimised = {id(parameter) for group in session.optimizer.param_groups for parameter in group["params"]}
    for name in frozen_names(session) & named.keys():
        assert named[name].grad is None
        assert id(named[name]) not in optimised


@every_strategy
def test_the_penalty_is_zero_where_it_must_be(strategy):
    session = session_of(strategy)
    penalty, kind = session.adapted.penalty, strategy.penalty.kind
    before = penalty.value().item()
    new = ("head.", *(f"backbone.blocks.{i}." for i in range(4) if strategy.init.kind == "reinitialise" and i >= 3))
    with torch.no_grad():
        for name, parameter in session.model.network.named_parameters():
            if name in frozen_names(session) or parameter.ndim < 2 or (kind in PULLS and name.startswith(new)):
                # neither frozen weights nor biases and norms count; new weights are set to zero to be out of the way
                parameter.mul_(0.0 if name.startswith(new) and parameter.ndim >= 2 else 3.0)
    value = penalty.value().item()
    assert value == (0.0 if kind in ("none", "bss", "contrast", "co_tuning", *PULLS) else pytest.approx(before))


def test_the_gradients_of_the_penalty_are_those_of_its_value(trained):
    session = trained.session
    session.optimizer.zero_grad()
    trained = [parameter for parameter in session.model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    session.adapted.penalty.add_gradients()
    value = session.adapted.penalty.value()
    expected = torch.autograd.grad(value, trained, allow_unused=True) if value.requires_grad else [None] * len(trained)
    for parameter, gradient in zip(trained, expected, strict=True):
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter) if gradient is None else gradient)


def test_training_goes_on_from_a_file_bit_for_bit(trained, tmp_path):
    strategy = trained.strategy
    stopped = session_of(strategy)
    train(stopped, _Rows(strategy), None, lambda result: result.epoch < 2, noise)
    save_state(stopped.state(), tmp_path / "state")
    resumed = session_of(strategy)
    resumed.load(load_state(tmp_path / "state"))
    train(resumed, _Rows(strategy), None, None, noise)
    found = weights(resumed)
    assert not [name for name, tensor in trained.after.items() if not torch.equal(tensor, found[name])]


def test_the_model_gets_better(trained):
    assert len(trained.losses) == EPOCHS
    assert all(math.isfinite(loss) for loss in trained.losses)
    assert trained.losses[-1] < trained.losses[0]


def test_a_real_backbone_keeps_its_frozen_part_to_the_bit():
    strategy = Strategy(freeze=0.75, penalty="l2_sp", optimizer="sgd", lr=0.1)
    backbone = load_backbone("efficientnet_lite0", 32).backbone
    network = Network(backbone, build_head(strategy.head, backbone.num_features, 3))
    session = prepare(adapt(network, strategy, 1), TrainingPlan(strategy, 1, seed=1), STEPS, loss_of(strategy))
    before = weights(session)
    train(session, _Rows(strategy), None, None, lambda images, generator: nn.functional.interpolate(images, 32))
    changed = {name for name, tensor in weights(session).items() if not torch.equal(tensor, before[name])}
    assert changed == weights(session).keys() - frozen_names(session)
    assert 0 < session.adapted.cut < session.adapted.num_blocks


@every_tuning
def test_what_is_exported_is_a_plain_network_that_gives_what_was_trained(strategy):
    session = session_of(strategy)
    train(session, _Rows(strategy), None, lambda result: result.epoch < 3, noise)
    images = _Rows(strategy).images
    with torch.no_grad():
        expected = session.model.eval()(images)
        plain = trained_network(session_of(Strategy()).model.network, strategy, 1, session.state().part("best"))
        assert plain.state_dict().keys() == session_of(Strategy(head=strategy.head)).model.network.state_dict().keys()
        torch.testing.assert_close(plain.eval()(images), expected, rtol=1e-5, atol=1e-5)


@every_tuning
def test_the_canonical_form_trains_the_same_model(strategy):
    simplest = strategy.canonical(4)
    assert simplest.canonical(4) == simplest
    given, found = session_of(strategy), session_of(simplest)
    for session in (given, found):
        train(session, _Rows(strategy), None, lambda result: result.epoch < 3, noise)
    expected = weights(given)
    assert not [name for name, tensor in weights(found).items() if not torch.equal(tensor, expected[name])]


WITHOUT_ADAPTERS = ("all", {"kind": "surgical", "blocks": 2}, "norms", "biases")


@pytest.mark.parametrize("there", WITHOUT_ADAPTERS, ids=str)
@pytest.mark.parametrize("here", WITHOUT_ADAPTERS, ids=str)
def test_weights_go_over_to_another_tuning(here, there):
    donor = session_of(Strategy(tune=there, optimizer="sgd"))
    train(donor, _Rows(donor.plan.strategy), None, lambda result: result.epoch < 2, noise)
    taker = session_of(Strategy(tune=here, optimizer="sgd", unfreeze="gradual", lr_decay=0.9))
    assert donor.plan.strategy.architecture() == taker.plan.strategy.architecture()
    taker.load(donor.state())
    expected = weights(donor)
    assert not [name for name, tensor in weights(taker).items() if not torch.equal(tensor, expected[name])]
    assert taker.model.changing_state().keys() >= donor.model.changing_state().keys()
    train(taker, _Rows(taker.plan.strategy), None, None, noise)
    rebuilt = trained_network(session_of(Strategy()).model.network, taker.plan.strategy, 1, taker.state().part("model"))
    found = rebuilt.state_dict()
    assert not [name for name, tensor in weights(taker).items() if not torch.equal(tensor, found[name])]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"tune": "lora"}, {}),
        ({}, {"tune": "lora"}),
        ({"tune": "lora"}, {"tune": "ia3"}),
        ({"tune": {"kind": "lora", "rank": 2}}, {"tune": "lora"}),
        ({"tune": "lora", "freeze": 0.5}, {"tune": "lora"}),
    ],
    ids=str,
)
def test_adapters_go_over_to_the_same_adapters_only(here, there):
    given, wanted = Strategy.model_validate(there), Strategy.model_validate(here)
    assert given.architecture() != wanted.architecture()
    with pytest.raises(ArtifactError, match="do not fit"):
        session_of(wanted).load(session_of(given).state())


def _kinds(group):
    return {"choice": [kind for kind in members(group) if kind not in ("mapped", "meta")]}


WIDE = {
    "init": {"choice": ["pretrained", {"kind": "reinitialise", "blocks": {"choice": [1, 3, 9]}}]},
    "freeze": {"choice": [0.0, 0.1, 0.3, 0.6, 0.9, 1.0]},
    "penalty": _kinds("penalty"),
    "head": {"choice": ["linear", {"kind": "mlp", "width": 8, "depth": 2}]},
    "loss": {
        "choice": [
            "cross_entropy",
            {"kind": "focal", "gamma": {"choice": [0.0, 2.0]}},
            {"kind": "class_balanced", "beta": {"choice": [0.0, 0.9]}},
        ]
    },
    "optimizer": {
        "choice": ["adamw", {"kind": "sgd", "momentum": {"choice": [0.0, 0.9]}, "nesterov": {"choice": [True, False]}}]
    },
    "lr": {"loguniform": [1e-3, 1e-2]},
    "head_lr_factor": {"choice": [0.5, 1.0, 3.0]},
    "weight_decay": {"choice": [0.0, 0.1]},
    "schedule": _kinds("schedule"),
    "clip_norm": {"choice": [0.0, 1.0]},
    "ema": {"choice": [0.0, 0.9]},
    "sam": {"choice": [0.0, 0.05]},
    "drop_path": {"choice": [0.0, 0.2]},
    "backbone_dropout": {"choice": [0.0, 0.2]},
    "stochastic_norm": {"choice": [0.0, 0.5]},
}
if "tune" in Strategy.model_fields:
    WIDE["tune"] = _kinds("tuning")
if "unfreeze" in Strategy.model_fields:
    WIDE["unfreeze"] = _kinds("unfreezing")
if "lr_decay" in Strategy.model_fields:
    WIDE["lr_decay"] = {"choice": [1.0, 0.7]}
"""What `session_of` trains; structures, scaled features and solved heads are compared where they are built."""
ELSEWHERE = {
    "backbone", "structure", "augment", "mix", "standardise", "select", "batch_size", "precision", "head_start",
    "episodes",
    *modality_fields(),
}  # fmt: skip


def test_every_field_is_compared_with_its_canonical_form_here_or_where_it_is_built():
    assert {*Strategy.model_fields} - {*WIDE} <= ELSEWHERE


@pytest.mark.parametrize("seed", range(24))
def test_the_canonical_form_is_its_own_and_trains_the_same_model(seed):
    drawn = StrategySpace.parse(WIDE).sample(random.Random(seed))
    canonical = drawn.canonical(4)
    assert canonical.canonical(4) == canonical
    assert canonical.canonical(4).key() == canonical.key()
    trained = []
    for strategy in (drawn, canonical):
        session = session_of(strategy, epochs=1, residual=True)
        assert train(session, _Rows(strategy), None, None, noise).status is TrainingStatus.COMPLETED
        trained.append(weights(session))
    for name, one in trained[0].items():
        torch.testing.assert_close(trained[1][name], one, rtol=1e-3, atol=1e-4, msg=f"{name} of {drawn.flat()}")

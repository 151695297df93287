"""Fields that have no effect: all of them are known as such, and a job that asks for one in vain is told so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.spec.test_strategy import depths, strategies

from graft.spec.components.head import LinearHead
from graft.spec.components.initialisation import Pretrained
from graft.spec.space.effects import NEEDS, idle
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

PROBE = {"freeze": 1.0, "lr": 1e-3}
WITHOUT_EFFECT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "structure.deepen": ({**PROBE, "structure": {"deepen": 0.5}}, PROBE),
    "structure.widen": ({**PROBE, "structure": {"widen": 2.0}}, PROBE),
    "tune": ({**PROBE, "tune": "lora"}, PROBE),
    "unfreeze": ({**PROBE, "unfreeze": "gradual"}, PROBE),
    "penalty": ({**PROBE, "penalty": {"kind": "l2_sp", "head_strength": 0.0}}, PROBE),
    "head_start": ({"head": "mlp", "head_start": "closed_form"}, {"head": "mlp"}),
    "head_lr_factor": ({**PROBE, "head_lr_factor": 2.0}, {"freeze": 1.0, "lr": 2e-3}),
    "lr_decay": ({"freeze": 0.75, "lr_decay": 0.5}, {"freeze": 0.75}),
    "standardise": ({"freeze": 0.5, "standardise": True}, {"freeze": 0.5}),
    "select": ({"freeze": 0.5, "select": "variance"}, {"freeze": 0.5}),
    "drop_path": ({**PROBE, "drop_path": 0.2}, PROBE),
    "backbone_dropout": ({**PROBE, "backbone_dropout": 0.2}, PROBE),
    "stochastic_norm": ({**PROBE, "stochastic_norm": 0.5}, PROBE),
}
SIMPLIFIED = frozenset({"init", "structure", "freeze", "loss", "augment", "mix", "optimizer", "lr"})
"""Fields that have one form of several that mean the same, whatever stands beside them."""


UNUSUAL = {
    "standardise": True,
    "drop_path": 0.2,
    "backbone_dropout": 0.2,
    "stochastic_norm": 0.5,
    "weight_decay": 0.3,
    "clip_norm": 1.0,
    "ema": 0.5,
    "sam": 0.1,
    "batch_size": 7,
}


@pytest.mark.parametrize("key", NEEDS)
def test_what_is_said_to_have_no_effect_has_none(key: str) -> None:
    one, other = map(Strategy.model_validate, WITHOUT_EFFECT[key])
    assert one != other
    assert one.canonical(4) == other.canonical(4)


@given(strategies, st.sampled_from([0.0, 0.5, 1.0]), st.booleans(), depths)
def test_nothing_else_is_without_effect_where_the_head_is_trained(
    drawn: Strategy, freeze: float, is_from_start: bool, num_blocks: int | None
) -> None:
    changes = {"init": Pretrained()} if is_from_start else {}
    head = LinearHead() if drawn.head.is_solved else drawn.head
    strategy = drawn.model_copy(update={**UNUSUAL, **changes, "freeze": freeze, "head": head})
    canonical = strategy.canonical(num_blocks)
    for name in Strategy.model_fields.keys() - SIMPLIFIED - NEEDS.keys():
        assert getattr(canonical, name) == getattr(strategy, name), name


def told(raw: dict[str, Any], num_blocks: int | None = 4) -> list[str]:
    space = StrategySpace.parse(raw)
    return [one.partition(" has no effect here")[0] for one in idle(space, space, lambda _: num_blocks)]


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ({"freeze": 1.0, "tune": "lora"}, ["tune"]),
        ({"freeze": 1.0, "tune": {"choice": ["all", "norms", "biases"]}, "lr_decay": 0.8}, ["tune", "lr_decay"]),
        ({"freeze": {"choice": [0.9, 1.0]}, "tune": {"choice": ["lora", "norms"]}}, ["tune"]),
        ({"freeze": 1.0, "structure": {"keep": 0.5, "widen": {"uniform": [1.5, 2.0]}}}, ["structure.widen"]),
        (
            {
                "freeze": 0.5,
                "init": {"kind": "reinitialise", "blocks": 2},
                "penalty": {"kind": "l2_sp", "head_strength": 0.0},
            },
            ["penalty"],
        ),
        ({"freeze": 1.0, "head": "ridge", "lr": 0.01, "augment": "light"}, ["lr", "augment"]),
        ({"head": {"kind": "mlp"}, "head_start": "closed_form"}, ["head_start"]),
    ],
)
def test_what_a_job_asks_for_in_vain_is_told(raw: dict[str, Any], names: list[str]) -> None:
    assert told(raw) == [f"strategy.{name}" for name in names]


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"freeze": 0.9},
        {"freeze": {"choice": [0.0, 1.0]}, "tune": "lora"},
        {"freeze": {"uniform": [0.0, 1.0]}, "penalty": "l2_sp", "standardise": {"choice": [True, False]}},
        {"freeze": 1.0, "penalty": "l2_sp", "head_lr_factor": 3.0, "standardise": True},
        {"freeze": 1.0, "head": {"choice": ["linear", "ridge"]}, "lr": 0.01},
        {"freeze": 1.0, "head": "ridge", "structure": {"keep": 0.7}, "resolution": 64},
        {"freeze": 1.0, "tune": "all"},
    ],
)
def test_what_has_an_effect_in_some_strategy_is_not_told(raw: dict[str, Any]) -> None:
    assert told(raw) == []


def test_without_the_depth_less_is_known() -> None:
    raw = {"freeze": 0.9, "tune": "lora"}
    assert (told(raw, 4), told(raw, None)) == (["strategy.tune"], [])


def test_the_sentence() -> None:
    space = StrategySpace.parse({"freeze": 1.0, "lr_decay": 0.5})
    (found,) = idle(space, space, lambda _: None)
    assert found == "strategy.lr_decay has no effect here; it has one where more than one block is trained"

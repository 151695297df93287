import pytest

from graft.meta.memory.records import Record, flat_strategy
from graft.spec.strategy import Strategy


def record(**changes: object) -> Record:
    return Record(**{"task": "t", "modality": "image", "task_kind": "classification", "backbone": "b",
                     "metric": "accuracy", "direction": "max", "value": 0.5, **changes})  # type: ignore[arg-type]  # fmt: skip


def test_a_strategy_is_flat_as_the_strategy_itself_writes_it() -> None:
    strategy = Strategy.model_validate({"penalty": {"kind": "l2_sp", "strength": 0.1}, "freeze": 0.5})
    held = record(strategy_json=strategy.model_dump_json())
    assert held.strategy == strategy.flat()
    assert held.nested_strategy is not None
    assert Strategy.read_stored(held.nested_strategy) == strategy


def test_a_flat_strategy_stays_flat() -> None:
    assert flat_strategy('{"penalty": "l2_sp", "penalty.strength": 0.1}') == {
        "penalty": "l2_sp",
        "penalty.strength": 0.1,
    }


def test_nothing_is_known_of_a_strategy_that_was_not_written() -> None:
    assert record().strategy is None
    assert record().nested_strategy is None


@pytest.mark.parametrize(("direction", "value", "better"), [("max", 0.5, 0.5), ("min", 0.5, -0.5), ("max", None, None)])
def test_more_is_better_whatever_the_metric(direction: str, value: float | None, better: float | None) -> None:
    assert record(direction=direction, value=value).better == better

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.core.errors import SpecError
from graft.search.strategy_schedule import Schedule, Stretch, parse_schedule
from graft.spec.components.penalty import L2
from graft.spec.strategy import Strategy

SLOW, FAST, FIRM = Strategy(lr=1e-3), Strategy(lr=1e-2), Strategy(lr=1e-3, penalty=L2(strength=0.1))
SCHEDULE = Schedule((Stretch(0, 3, SLOW), Stretch(3, 4, FAST), Stretch(4, 10, FIRM)))


def stored(**changed: Any) -> Any:
    return SCHEDULE.to_dict() | changed


def with_stretch(index: int, **changed: Any) -> Any:
    raw = SCHEDULE.to_dict()
    raw["stretches"][index] |= changed
    return raw


def told(raw: Any) -> str:
    with pytest.raises(SpecError) as caught:
        parse_schedule(raw, "schedule.json")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_stored_is_read_back() -> None:
    raw = json.loads(json.dumps(SCHEDULE.to_dict()))

    assert (raw["format"], raw["epochs"], raw["stretches"][1]["from"], raw["stretches"][1]["to"]) == (1, 10, 3, 4)
    assert parse_schedule(raw, "schedule.json") == SCHEDULE


@pytest.mark.parametrize("raw", [None, [], "x", {}, {"format": "1"}, {"format": True}, {"format": 0}])
def test_something_else_is_not_a_schedule(raw: Any) -> None:
    assert told(raw).startswith("schedule.json: is not a strategy schedule; give a file")


def test_a_newer_format_is_named() -> None:
    assert told(stored(format=2)) == (
        "schedule.json: is a strategy schedule of format 2, but this version reads format 1; "
        "replay it with the graft that wrote it"
    )


@pytest.mark.parametrize("stretches", [None, [], {}])
def test_there_must_be_stretches(stretches: Any) -> None:
    assert "has no stretches" in told(stored(stretches=stretches))


@pytest.mark.parametrize(
    ("index", "changed", "why"),
    [
        (0, {"from": 1}, "has stretches[0] from 1 to 3, but must begin at 0 and end later"),
        (1, {"from": 2}, "has stretches[1] from 2 to 4, but must begin at 3 and end later"),
        (1, {"from": 3, "to": 3}, "has stretches[1] from 3 to 3, but must begin at 3 and end later"),
        (2, {"to": 9}, "is for 10 epochs, but its stretches end at 9"),
        (1, {"to": 4.5}, "has stretches[1] from 3 to 4.5, but both must be whole numbers of epochs"),
        (1, {"from": None}, "has stretches[1] from empty to 4, but both must be whole numbers of epochs"),
    ],
)
def test_stretches_must_join(index: int, changed: dict[str, Any], why: str) -> None:
    assert why in told(with_stretch(index, **changed))


def test_a_stretch_must_be_one() -> None:
    assert told(stored(stretches=[3])) == (
        "schedule.json: has 3 as stretches[0], but a stretch must have `from`, `to` and `strategy`"
    )


@pytest.mark.parametrize(
    ("strategy", "key"), [({"foo": 1}, "foo"), ({"penalty": {"kind": "l2", "foo": 1}}, "penalty.foo")]
)
def test_a_strategy_field_of_another_version_is_named(strategy: Any, key: str) -> None:
    assert told(with_stretch(1, strategy=strategy)) == (
        f"schedule.json: has the strategy field `{key}`, which this version does not know; "
        "replay it with the graft that wrote it"
    )


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ({"penalty": "elastic"}, "stretches[1].strategy.penalty is `elastic`, but must be one of none, "),
        ({"lr": -1}, "stretches[1].strategy.lr is -1, but must be > 0 and <= 10; replay it with"),
        (None, "stretches[1].strategy is empty, but must be a mapping of keys to values"),
    ],
)
def test_a_strategy_that_is_none_is_named(strategy: Any, why: str) -> None:
    assert why in told(with_stretch(1, strategy=strategy))


def test_a_strategy_without_a_newer_field_has_its_default() -> None:
    raw = with_stretch(1, strategy={"lr": 0.01})

    assert parse_schedule(raw, "schedule.json") == SCHEDULE


def test_weights_cannot_change_their_architecture_on_the_way() -> None:
    raw = with_stretch(2, strategy=Strategy.model_validate({"head": "mlp"}).model_dump(mode="json"))

    assert (
        "has the architectures `efficientnet_lite0 linear`, `efficientnet_lite0 mlp 256 1`, but must have one"
        in told(raw)
    )


def test_scaling_keeps_the_shares() -> None:
    assert SCHEDULE.scaled(20).stretches == (Stretch(0, 6, SLOW), Stretch(6, 8, FAST), Stretch(8, 20, FIRM))
    assert SCHEDULE.scaled(5).stretches == (Stretch(0, 2, SLOW), Stretch(2, 5, FIRM))
    assert SCHEDULE.scaled(1).stretches == (Stretch(0, 1, FIRM),)


def test_neighbours_are_joined_when_what_was_between_them_vanishes() -> None:
    schedule = Schedule((Stretch(0, 50, SLOW), Stretch(50, 51, FAST), Stretch(51, 100, SLOW)))

    assert schedule.scaled(10).stretches == (Stretch(0, 10, SLOW),)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 200))
def test_a_scaled_schedule_is_a_whole_one(lengths: list[int], epochs: int) -> None:
    ends = [sum(lengths[: place + 1]) for place in range(len(lengths))]
    stretches = (
        Stretch(end - length, end, Strategy(lr=0.01 * (place + 1)))
        for place, (length, end) in enumerate(zip(lengths, ends, strict=True))
    )
    scaled = Schedule(tuple(stretches)).scaled(epochs)

    assert scaled.epochs == epochs
    assert parse_schedule(scaled.to_dict(), "") == scaled
    assert scaled.scaled(epochs) == scaled


def test_a_schedule_cannot_be_scaled_to_nothing() -> None:
    with pytest.raises(ValueError, match="epochs is 0, but must be >= 1"):
        SCHEDULE.scaled(0)

"""The loop asks for what it needs, asks nothing twice, stops for the right reason, and goes on where it stopped."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.fixtures.pools import Pool

from graft.exploration.explorer import Ask, Explorer, Stop
from graft.exploration.learning_curve import forecast
from graft.exploration.noise import label_noise

Oracle = Callable[[int, str], str | None]


def explored(explorer: Explorer, oracle: Oracle, most: int = 10_000) -> tuple[list[tuple[int, str]], Stop | None]:
    asked: list[tuple[int, str]] = []
    while len(asked) < most:
        found = explorer.next()
        if isinstance(found, Stop):
            return asked, found
        explorer.proposed(found)
        for row in found.rows[: most - len(asked)]:
            explorer.record(row, oracle(row, found.role), found.role)
            asked.append((row, found.role))
    return asked, None


def test_it_reaches_what_can_be_reached(pool: Pool) -> None:
    explorer = pool.explorer(required=0.75)
    asked, stop = explored(explorer, lambda row, role: pool.name(row))
    assert stop is not None
    assert stop.by == "reached"
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    assert {row for row, role in asked if role == "audit"} <= set(explorer.reserve.tolist())
    assert {row for row, role in asked if role == "train"} <= set(explorer.own.tolist())
    assert explorer.verdict.interval[0] >= 0.75


def test_what_was_stopped_anywhere_goes_on_to_the_same_end(pool: Pool) -> None:
    whole, end = explored(pool.explorer(required=0.75), lambda row, role: pool.name(row))
    for cut in (3, 37, len(whole) - 1):
        before, again = pool.explorer(required=0.75), pool.explorer(required=0.75)
        told: list[Ask | tuple[int, str]] = []
        while len(answers := [one for one in told if isinstance(one, tuple)]) < cut:
            ask = before.next()
            assert isinstance(ask, Ask)
            before.proposed(ask)
            told.append(ask)
            for row in ask.rows[: cut - len(answers)]:
                before.record(row, pool.name(row), ask.role)
                told.append((row, ask.role))
        for one in told:
            if isinstance(one, Ask):
                again.proposed(one)
                role = one.role
            else:
                again.record(one[0], pool.name(one[0]), role)
        rest, stop = explored(again, lambda row, role: pool.name(row))
        assert whole[cut:] == rest
        assert stop == end


def test_what_cannot_be_reached_is_told_with_its_margin() -> None:
    mixed = Pool(count=900, classes=3, spread=3.5)
    _, stop = explored(mixed.explorer(required=0.97, budget=450), lambda row, role: mixed.name(row))
    assert stop is not None
    assert stop.by == "cannot be reached"
    assert "labels for all 900 samples would give about 0." in stop.detail


def test_a_budget_that_is_spent_and_one_class_alone(pool: Pool) -> None:
    asked, stop = explored(pool.explorer(budget=25), lambda row, role: "cat")
    assert len(asked) == 25
    assert stop is not None
    assert stop.by == "budget spent"
    assert "all labels are `cat`, but two classes are needed" in stop.detail


def test_a_pool_of_three_samples() -> None:
    tiny = Pool(count=3)
    asked, stop = explored(tiny.explorer(budget=50), lambda row, role: tiny.name(row))
    assert len(asked) == 3
    assert stop == Stop("budget spent", "all 3 samples of the pool have been asked about")


def test_what_nobody_can_tell_counts_against_the_model(pool: Pool) -> None:
    explorer = pool.explorer(budget=120, required=0.9)
    explored(explorer, lambda row, role: None if role == "audit" else pool.name(row))
    assert explorer.verdict.estimate == 0.0


def test_an_oracle_that_contradicts_itself_is_found_out(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    explorer = pool.explorer(required=0.9, budget=600, repeats=True)
    _, stop = explored(explorer, lambda row, role: f"class {rng.integers(4)}")
    assert stop is not None
    assert stop.by == "cannot be reached"
    assert "twice" in stop.detail


def test_one_label_in_ten_is_wrong(pool: Pool) -> None:
    rng = np.random.default_rng(2)

    def oracle(row: int, role: str) -> str:
        return f"class {(pool.codes[row] + (rng.random() < 0.1)) % 4}"

    explorer = pool.explorer(required=0.6, budget=500, repeats=True)
    _, stop = explored(explorer, oracle)
    assert stop is not None
    assert stop.by == "reached"
    assert explorer.noise.is_seen
    assert "asked twice differ" in stop.detail


def test_what_is_required_beyond_the_noise_of_the_labels_is_never_certified(pool: Pool) -> None:
    """A perfect model agrees with nine labels in ten: .97 is shown by no audit of these."""
    rng = np.random.default_rng(0)

    def oracle(row: int, role: str) -> str:
        return f"class {(pool.codes[row] + (rng.random() < 0.1)) % 4}"

    explorer = pool.explorer(required=0.97, budget=300, repeats=True)
    _, stop = explored(explorer, oracle)
    assert stop is not None
    assert stop.by != "reached"
    assert explorer.verdict.interval[0] < 0.9


def test_noise_is_solved_for_exactly() -> None:
    found = label_noise(100, 18, 2)
    assert found.rate == pytest.approx(0.1)
    assert found.low < 0.1 < found.high
    assert label_noise(0, 0, 3).rate is None


def test_a_learning_curve_is_continued() -> None:
    rng, sizes = np.random.default_rng(0), np.array([20, 40, 80, 160, 320])
    chance = 0.9 - 2.0 * sizes**-0.7
    correct = rng.random((1, 400)) < chance[:, None]
    found = forecast(sizes, correct, 5000, np.random.default_rng(0))
    assert found.low < 0.9 - 2.0 * 5000**-0.7 < found.high
    assert found.high - found.low < 0.2


def test_labels_of_the_audit_count_for_their_own_samples_whichever_comes_first(pool: Pool) -> None:
    forward, backward = pool.explorer(required=0.75), pool.explorer(required=0.75)
    for explorer, step in ((forward, 1), (backward, -1)):
        while len(explorer.labels.audit) < 30:
            ask = explorer.next()
            assert isinstance(ask, Ask)
            explorer.proposed(ask)
            rows = ask.rows[::step] if ask.role == "audit" else ask.rows
            for row in rows:
                explorer.record(row, pool.name(row), ask.role)
    assert forward.verdict == backward.verdict
    assert [*forward.labels.audit] != [*backward.labels.audit]


def test_the_newest_answer_is_taken_back_and_asked_for_again(pool: Pool) -> None:
    explorer, straight = pool.explorer(required=0.75), pool.explorer(required=0.75)
    while len(explorer.labels.train) < 60:
        ask = explorer.next()
        assert isinstance(ask, Ask)
        explorer.proposed(ask)
        row = ask.rows[0]
        if ask.role == "train" and len(explorer.labels.train) % 7 == 3:
            explorer.record(row, "a slip", ask.role)
            assert "a slip" in explorer.labels.names
            explorer.withdraw()
            assert explorer.next() == ask
        explorer.record(row, pool.name(row), ask.role)
    asked, _ = explored(straight, lambda row, role: pool.name(row), most=explorer.labels.spent)
    assert [row for row, role in asked if role == "train"] == [*explorer.labels.train]
    assert straight.labels == explorer.labels


def test_a_training_label_of_a_round_that_is_over_can_be_corrected(pool: Pool) -> None:
    explorer = pool.explorer()
    explored(explorer, lambda row, role: pool.name(row), most=10)
    ask = explorer.next()
    assert isinstance(ask, Ask)
    explorer.proposed(ask)
    assert ask.role == "audit"
    (row, role), names = explorer.revocable or (0, ""), list(explorer.labels.names)
    assert role == "train"
    explorer.withdraw()
    again = explorer.next()
    assert isinstance(again, Ask)
    assert (again.rows, again.role) == ((row,), "train")
    explorer.record(row, pool.name(row), "train")
    assert explorer.next() == ask
    assert sorted(explorer.labels.names) == sorted(names)


def test_an_audit_label_that_has_been_counted_stands(pool: Pool) -> None:
    explorer = pool.explorer(required=0.5)
    while not (isinstance(ask := explorer.next(), Ask) and ask.role == "audit" and len(ask.rows) > 1):
        explorer.proposed(ask)
        explorer.record(ask.rows[0], pool.name(ask.rows[0]), ask.role)
    explorer.proposed(ask)
    before = explorer.verdict
    for row in ask.rows[:-1]:
        explorer.record(row, pool.name(row), "audit")
        assert explorer.revocable == (row, "audit")
        assert explorer.verdict == before, "what may still be taken back shows nothing"
    explorer.record(ask.rows[-1], pool.name(ask.rows[-1]), "audit")
    assert explorer.verdict != before
    assert explorer.revocable is None
    with pytest.raises(ValueError, match="no answer"):
        explorer.withdraw()

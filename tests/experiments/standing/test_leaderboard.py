"""What the leaderboard says of the strategies that were tried."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from graft.cli.output.tables import print_leaderboard
from graft.experiments.progress import Progress
from graft.experiments.standing.leaderboard import as_csv, leaderboard, varied_fields
from graft.journal import events
from graft.spec.metrics import MetricSpec, begun_first, shown
from graft.spec.strategy import Strategy

Fold = Callable[..., Progress]


def trial(name: str, score: float | None, **fields: Any) -> list[events.Event]:
    strategy = Strategy.model_validate(fields)
    began = events.TrialStarted(name, strategy.model_dump(mode="json"), strategy.label(), time=1.0)
    return [began, *([] if score is None else [events.TrialReported(name, 1, {"val/accuracy": score}, 1.0, time=2.0)])]


def test_every_field_that_varied_is_there_and_the_learning_rate_first(fold: Fold) -> None:
    l2_sp = {"kind": "l2_sp", "strength": 0.1}
    rows = leaderboard(fold(*trial("t01", 0.5, lr=0.1, penalty=l2_sp), *trial("t02", 0.6, lr=0.1, freeze=0.5)))
    names = ("lr", "freeze", "penalty", "penalty.strength")
    assert next(iter(rows[0]["varied"])) == "lr"
    assert [rows[0]["varied"][name] for name in names] == [0.1, 0.5, "none", None]
    assert [rows[1]["varied"][name] for name in names] == [0.1, 0.0, "l2_sp", 0.1]
    assert "backbone" not in rows[0]["varied"]


def test_the_learning_rate_is_told_even_of_one_trial(fold: Fold) -> None:
    assert leaderboard(fold(*trial("t01", 0.5, lr=0.02)))[0]["varied"] == {"lr": 0.02}
    assert varied_fields([]) == []


def test_the_spreadsheet_has_a_column_for_each(fold: Fold) -> None:
    rows = leaderboard(fold(*trial("t01", 0.5, lr=0.1, batch_size=16), *trial("t02", None, lr=0.2, batch_size=32)))
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert list(table[0]) == [
        "rank", "trial", "status", "score", "lr", "batch_size", "epochs", "best_epoch", "seconds", "label", "reason",
    ]  # fmt: skip
    assert [(row["trial"], row["lr"], row["batch_size"]) for row in table] == [
        ("t01", "0.1", "16"),
        ("t02", "0.2", "32"),
    ]
    assert as_csv([]).splitlines()[0].startswith("rank,trial,status,score,lr,")


def test_what_a_network_costs_is_told_where_the_search_edits_it(fold: Fold) -> None:
    facts = {"model/trainable_params": 10.0, "model/params": 1e6, "model/multiply_adds": 2e7, "model/whole_params": 3e6}
    first = events.TrialReported("t01", 1, {"val/accuracy": 0.5, **facts}, 1.0, time=2.0)
    second = events.TrialReported("t01", 2, {"val/accuracy": 0.6}, 1.0, time=3.0)
    (row,) = leaderboard(fold(*trial("t01", None), first, second))
    assert row["network"] == {
        "trainable_params": 10, "params": 1_000_000, "multiply_adds": 20_000_000, "whole_params": 3_000_000,
    }  # fmt: skip
    (line,) = csv.DictReader(io.StringIO(as_csv([row])))
    assert (line["params"], line["multiply_adds"]) == ("1000000", "20000000")
    shown = io.StringIO()
    print_leaderboard([row], "accuracy", 10, shown)
    header, told = shown.getvalue().splitlines()
    assert "M parameters    M multiply-adds" in header
    assert told.split()[5:7] == ["1", "20"]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_on_a_tie_the_earlier_trial_is_first(mode: Any) -> None:
    metric = MetricSpec("x", mode)
    scores = {"t100": 0.5, "t02": 0.5, "t99": 0.5, "t01": None, "t10": None, "t03": 0.7, "t04": -0.0, "t05": 0.0}
    best_first = sorted(scores, key=lambda name: metric.best_first(scores[name], name))
    others = ["t02", "t99", "t100"]
    assert best_first == (
        ["t03", *others, "t04", "t05", "t01", "t10"] if mode == "max" else ["t04", "t05", *others, "t03", "t01", "t10"]
    )
    assert sorted(["t100", "t99", "t09"], key=begun_first) == ["t09", "t99", "t100"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91349, "0.913"), (1.0, "1.000"), (0.0, "0.000"), (-0.5, "-0.500"), (12.34567, "12.346"), (0.05, "0.050"),
        (0.00123456, "0.00123"), (-0.000012, "-1.2e-05"), (None, "–"), (float("nan"), "nan"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_a_value_has_three_decimals_or_three_digits(value: float | None, text: str) -> None:
    assert shown(value) == text

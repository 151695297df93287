"""The smallest run of `structure.py`, and what it makes of rows that are made up."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def structure(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("structure")


def test_structures_are_measured_once_and_searched(structure: Any, tmp_path: Path) -> None:
    results, picture = tmp_path / "results.jsonl", tmp_path / "structure.png"
    small = ["--sets", "digits", "--side", "32", "--depths", "2", "--rows", "100", "--searches", "1", "--trials", "4"]
    small += ["--results", str(results), "--picture", str(picture)]
    figures = structure.main(small)
    assert figures["structures"] == 4  # one block, and all with three skips
    assert figures["found"]["digits"] == {"random": {"4": 1.0}, "sobol": {"4": 1.0}, "tpe": {"4": 1.0}}
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert {row["label"] for row in rows} == {"", "keep=0.0588", "skip=spread:0.444", "skip=spread:1"}
    assert all(0 <= row["test"] <= 1 and row["params"] > 0 for row in rows)
    assert picture.stat().st_size > 1000
    options = structure._parser().parse_args(small)
    space = structure.space_of(options.backbone, options.side, options.depths)
    assert structure.exhaustive(options, space, structure.Depth(17, (2, 4, 6, 7, 9, 10, 12, 13, 14))) == rows
    assert len(results.read_text().splitlines()) == 4


def row(cost: int, score: float) -> dict[str, Any]:
    return {"multiply_adds": cost, "validation": score, "test": score, "key": str(cost), "label": ""}


def test_the_front_and_its_area(structure: Any) -> None:
    rows = [row(1, 0.5), row(10, 0.4), row(10, 0.9), row(100, 0.9)]
    assert structure.front(rows) == [rows[0], rows[2]]
    whole = structure.area(rows, rows)
    assert structure.area(rows[:2], rows) < structure.area([rows[2]], rows) < whole
    assert whole == pytest.approx((0.1 + 0.5) * 2.302585, rel=1e-5)

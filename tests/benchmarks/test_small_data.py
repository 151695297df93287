"""The smallest run of `small_data.py`, and what it says of rows that are made up."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("small_data")


def test_trainings_are_told_and_not_done_twice(small_data: Any, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    small = ["--sets", "digits", "--only", "probe,bss", "--shares", "0.05", "--seeds", "1", "--candidates", "1"]
    small += ["--steps", "2", "--side", "32", "--pool", "400", "--test-rows", "30", "--results", str(results)]
    options = small_data._parser().parse_args(small)
    found = small_data.measure(options)
    assert [row["family"] for row in found] == ["probe", "bss"]
    assert all(0 <= row["test"] <= 1 and row["rows"] < 400 * 0.05 for row in found)
    written = results.read_text()
    assert small_data.measure(options) == [json.loads(line) for line in written.splitlines()] == found
    assert results.read_text() == written


def test_the_candidate_is_chosen_by_validation_and_compared_by_seed(small_data: Any) -> None:
    def row(family: str, seed: int, validation: float, test: float) -> dict[str, Any]:
        return {
            "set": "a", "share": 0.5, "family": family, "seed": seed, "validation": validation, "test": test,
            "rows": 9, "cpu_s": 1.0,
        }  # fmt: skip

    found = [row("full", 0, 0.5, 0.5), row("full", 1, 0.5, 0.7)]
    found += [row("bss", seed, *scores) for seed in (0, 1) for scores in ((0.9, 0.6), (0.1, 1.0))]
    lines = {line[2]: line for line in small_data.told(found)}
    assert lines["bss"][3] == "0.600"
    assert lines["bss"][5] == "+0.000"
    assert lines["full"][3] == "0.600"
    assert lines["full"][5] == "+0.000"


def test_every_family_is_a_strategy(small_data: Any) -> None:
    for changes in small_data.families().values():
        for one in changes:
            small_data.Strategy.model_validate({**small_data.BASIS, **one})

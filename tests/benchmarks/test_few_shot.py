"""The smallest run of `few_shot.py`."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def test_the_choice_is_compared_with_each_head(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    few_shot: Any = importlib.import_module("few_shot")
    small = ["--cache", str(tmp_path), "--sets", "digits", "--k", "1,3", "--draws", "2", "--resolution", "32"]
    assert few_shot.main([*small, "--train", "90", "--test", "40"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["k"] for row in told["results"]] == [1, 3]
    for row in told["results"]:
        assert row["accuracy"].keys() == {"ridge", "prototype", "logistic", "graft"}
        best = max(value for way, value in row["accuracy"].items() if way != "graft")
        assert row["regret"] == pytest.approx(100 * (best - row["accuracy"]["graft"]), abs=0.01)

"""The benchmarks of recommendations, each in its smallest size, on a bank that is made up."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graft.meta.recommend.curves.forecast import CurveForecast, Forecaster, PastCurve
from graft.meta.recommend.outcomes import Candidate
from graft.meta.recommend.pool import candidate_of
from graft.spec.defaults.closed_form import IN_TURN
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

HERE = Path(__file__).parent
FIGURES = (
    *("regret", "warm_start", "robustness", "same_task", "screening"),
    *("overhead", "curves", "solved_first", "stopping"),
)


class TestChanceToWin:
    """By what curve a trial is foreseen decides whether it is stopped."""

    SEEN: ClassVar[dict[int, float]] = {1: 0.6, 2: 0.7, 3: 0.75}

    @pytest.fixture
    def chance_to_beat(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(str(HERE))
        return importlib.import_module("meta.stopping").chance_to_beat

    def found(self, name: str) -> CurveForecast:
        metric, candidate = metric_named(name), Candidate("b", "{}")
        past = [
            PastCurve(f"t{task}", candidate, 8, {epoch: 0.5 + 0.04 * epoch + 0.01 * task for epoch in range(1, 9)})
            for task in range(6)
        ]
        return Forecaster(past, lambda task: 0.8, metric).forecast(candidate, 8, self.SEEN)

    def test_it_falls_with_what_is_to_be_beaten(self, chance_to_beat: Any) -> None:
        chances = [chance_to_beat(self.found("accuracy"), self.SEEN, value) for value in (0.3, 0.8, 0.9, 0.999)]
        assert chances == sorted(chances, reverse=True)
        assert (chances[0], chances[-1]) == (1.0, 0.0)

    def test_a_metric_that_is_to_be_small_is_beaten_from_the_other_side(self, chance_to_beat: Any) -> None:
        low, high = (chance_to_beat(self.found("loss"), self.SEEN, value) for value in (0.0, 1e3))
        assert low < 0.01 < 0.9 < high


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Four tasks on which the larger rate is better, with curves of three epochs, and heads on 70 % of the blocks."""
    rows = []
    for task in range(4):
        for lr in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2):
            told = candidate_of(Strategy(lr=lr).canonical()).strategy_json
            for epoch in (1, 2, 3):
                value = 0.5 + 0.1 * epoch + lr * 3 + 0.01 * task
                row = {"task": f"t{task}", "modality": "image", "backbone": "efficientnet_lite0", "metric": "accuracy"}
                rows.append(
                    {**row, "strategy_json": told, "epoch": epoch, "epochs": 3, "value": value, "seconds": epoch}
                )
        for keep, kind in IN_TURN:
            head = {"freeze": 1.0, "head": kind, "resolution": 64, "structure": {"keep": keep}}
            told = candidate_of(Strategy.model_validate(head).canonical(17)).strategy_json
            row = {"task": f"t{task}", "modality": "image", "backbone": "efficientnet_lite0", "metric": "accuracy"}
            rows.append(
                {**row, "strategy_json": told, "epoch": 1, "epochs": 1, "value": 0.7 - 0.2 * keep, "seconds": 1}
            )
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "records.parquet")
    return tmp_path


def test_the_smallest_run_prints_each_figure(run_script: Any, bank: Path) -> None:
    told = run_script("recommendations", "--bank", bank, "--seeds", "1", "--draws", "1", "--records", "2000")
    assert [one["benchmark"] for one in told] == list(FIGURES)
    total = next(row for row in told[1]["rows"] if row["task"].startswith("total"))
    assert total["meta trials"] <= total["random trials"]
    solved = next(one for one in told if one["benchmark"] == "solved_first")["rows"]
    assert [(row["cores"], row["tasks"]) for row in solved] == [(1, 4)] * 5 + [(2, 4)] * 5
    assert solved[0]["told ÷ fixed"] <= 1


@pytest.mark.slow
def test_the_smallest_run_of_screening_ends_with_its_json_line() -> None:
    command = [sys.executable, str(HERE / "screening.py"), "--rows", "60", "--held-out", "60", "--sizes", "32"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["rank_correlation"]) == {"logme", "hscore", "ridge", "centroid"}

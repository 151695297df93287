"""The benchmarks of recommendations, each in its smallest size, on a bank that is made up."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graft.meta.recommend.pool import candidate_of
from graft.spec.strategy import Strategy

HERE = Path(__file__).parent
FIGURES = ("regret", "warm_start", "robustness", "same_task", "screening", "overhead", "curves", "stopping")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Four tasks on which the larger rate is better, with curves of three epochs."""
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
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "records.parquet")
    return tmp_path


def test_the_smallest_run_prints_each_figure(run_script: Any, bank: Path) -> None:
    told = run_script("recommendations", "--bank", bank, "--seeds", "1", "--draws", "1", "--records", "2000")
    assert [one["benchmark"] for one in told] == list(FIGURES)
    total = next(row for row in told[1]["rows"] if row["task"].startswith("total"))
    assert total["meta trials"] <= total["random trials"]


@pytest.mark.slow
def test_the_smallest_run_of_screening_ends_with_its_json_line() -> None:
    command = [sys.executable, str(HERE / "screening.py"), "--rows", "60", "--held-out", "60", "--sizes", "32"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["rank_correlation"]) == {"logme", "hscore", "ridge", "centroid"}

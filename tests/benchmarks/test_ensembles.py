"""The benchmark of soups and ensembles, and that of choices by folds: their jobs, and the smallest runs of them."""

import importlib
import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from graft.spec.load import parse_job

HERE = Path(__file__).parent


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


@pytest.mark.parametrize("pool", ["usual", "small"])
@pytest.mark.parametrize("kind", ["image", "text"])
def test_its_jobs_are_jobs(module: Any, kind: str, pool: str) -> None:
    if (kind, pool) == ("text", "small"):
        pytest.skip("the small pool is one of pictures")
    one = module("small.tables").SmallSet(Path("/x.csv"), kind, Path("/x"))
    job = parse_job(module("ensembles").job_of(one, "digits", 1, Namespace(epochs=2, pool=pool)))
    assert (job.training.final_on, job.training.fit.ensemble, job.epochs) == ("train", "auto", 2)
    assert sum(strategy.head.is_solved for strategy in job.first) == (1 if pool == "small" else 8)
    assert len({strategy.label() for strategy in job.first if not strategy.head.is_solved}) > 1


def run(name: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(HERE / name), *arguments],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_smallest_run_compares_every_way(tmp_path: Path) -> None:
    small = ("--train", "100", "--test", "60", "--epochs", "1", "--pool", "small")
    found = run("ensembles.py", "--cache", str(tmp_path), "--sets", "digits", *small)
    (one,) = found["results"]
    assert list(one["ways"]) == ["winner", "soup", "ensemble of 2", "ensemble of 3", "ensemble of 5", "kept"]
    for way in one["ways"].values():
        assert way["low"] <= way["gain"] <= way["high"]
        assert way["time"] > 0
        assert sum(share for _, share in way["members"]) == pytest.approx(1)
    assert one["ways"]["winner"]["gain"] == 0


@pytest.mark.slow
def test_the_smallest_run_compares_both_choices() -> None:
    (one,) = run("fold_choice.py", "--smoke")["sets"]
    assert one["set"] == "digits"
    assert one["best"] >= max(one["fifth"], one["folds"])
    assert one["gain"] == pytest.approx(one["folds"] - one["fifth"])

"""The parts of the feature store's benchmark that need no measurement, and the whole of it, tiny."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

HERE = Path(__file__).parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, imported as it runs: with its own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("feature_store")


def test_growth_is_of_the_most_rows_over_the_fewest(bench: Any) -> None:
    assert bench.growth({"50000": 110.0, "5000": 100.0}) == pytest.approx(0.1)
    assert bench.growth(None) is None


def test_the_table_holds_every_figure_against_its_target(bench: Any) -> None:
    cases = [{"freeze": 1.0, "ratio": {"here": 0.95, "ray whole": 0.4, "ray steady": 0.8}}]
    rows = {row[0]: row[1:] for row in bench.rows_of(cases, {"ratio": 0.81}, 0.2)}
    assert rows["extraction at 1 / bare loop, here"] == [0.95, 0.9, True]
    assert rows["extraction at 1 / bare loop, ray whole"] == [0.4, None, None]
    assert rows["extraction at 1 / bare loop, ray steady"] == [0.8, 0.9, False]
    assert rows["random rows / numpy.memmap"] == [0.81, 0.8, True]
    assert rows["memory, growth with ten times the rows"] == [0.2, 0.1, False]


def test_what_is_timed_is_the_networks_own_features(bench: Any) -> None:
    from graft.models.load import load_backbone

    case = bench.Case("efficientnet_lite0", 1.0, 32, 4, 2)
    features = case()(0, 4)
    assert features.shape == (4, 1280)
    with torch.inference_mode():
        whole = load_backbone("efficientnet_lite0", 32).backbone
        images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(case.prefix()(images), whole(images), atol=1e-4)
    assert bench.Case("efficientnet_lite0", 0.5, 32, 4, 2)()(0, 4).ndim == 4


def test_reading_asks_both_for_the_same(bench: Any, tmp_path: Path) -> None:
    with bench.stored_noise(tmp_path, 3000, 8) as features:
        found = bench.reading(features, tmp_path, 100, 1)
        np.testing.assert_array_equal(np.load(tmp_path / "plain.npy"), features.rows(slice(None)))
    assert found["ratio"] == found["store"] / found["memmap"]


@pytest.mark.slow
@pytest.mark.ray
def test_the_smallest_run_ends_with_its_json_line() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, HERE / "feature_store.py", "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["benchmark"] == "feature_store"
    assert found["extraction"][0]["ratio"].keys() == {"here", "ray whole", "ray steady"}

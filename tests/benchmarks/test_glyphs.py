"""The smallest run of `glyphs.py`, on letters that are made up."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.episodes.samples import FEATURES, RAW, Samples

HERE = Path(__file__).parent
OMNIGLOT = ["--parts", "metric,gradient,omniglot,speed", "--omniglot-seconds", "0.05"]


@pytest.fixture
def glyphs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("glyphs")


def samples_of(seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(20), 11)
    centres, grids = rng.normal(size=(20, 8)), rng.integers(0, 256, (20, 12, 12))
    features = (centres[labels] + rng.normal(size=(220, 8)) * 0.5).astype(np.float32)
    raw = (grids[labels] + rng.normal(size=(220, 12, 12)) * 60).clip(0, 255).astype(np.uint8)
    return Samples.of({FEATURES: features, RAW: raw}, labels)


def test_everything_is_measured(glyphs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sides = glyphs.Sides(samples_of(0), samples_of(1), samples_of(2))
    small = ["--map-seconds", "0.05", "--network-seconds", "0.05", "--gradient-seconds", "0.05", "--episodes", "4"]
    options = glyphs._parser().parse_args([*small, "--speed-seconds", "0.01", "--ways", "4", "--tasks", "2", *OMNIGLOT])
    told = glyphs.run(sides, options)
    (one,) = told["runs"]
    assert set(one["scores"]) == {"frozen", "map", "network", "both"}
    assert one["weight"] in glyphs.WEIGHTS
    assert set(one["gradient"]) == {"maml", "anil"}
    assert set(one["omniglot"]) == {"prototypes, unturned", "maml, unturned", "prototypes, turned", "maml, turned"}
    assert {"5w1s", "20w1s"} <= set(one["omniglot"]["maml, turned"]["scores"])
    assert told["vmap_over_loop"]["ratio"] > 0
    assert "20w1s" in capsys.readouterr().out


def test_a_turned_letter_is_another_class_of_another_script(glyphs: Any) -> None:
    found = glyphs.turned(samples_of(0))
    assert len(found.classes) == 80
    assert len(np.unique(found.groups)) == 4

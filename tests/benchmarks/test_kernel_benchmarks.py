"""Benchmarks of parts of a training step run whole, at their smallest, and say what they measured."""

from pathlib import Path
from typing import Any

import pytest


def test_small_maps(run_script: Any) -> None:
    where = ("--backbones", "efficientnet_lite0", "--resolutions", "32", "--freeze", "0.75", "--repeats", "1")
    found = run_script("small_maps", *where)[-1]["results"]
    assert [(one["backbone"], one["resolution"], one["frozen"]) for one in found] == [("efficientnet_lite0", 32, 0.75)]


def test_fused_heads(run_script: Any) -> None:
    options = ("--heads", "1,2", "--rows", "100", "--repeats", "1", "--device", "cpu")
    found = run_script("fused_heads", *options)[-1]["results"]
    assert [(one["head"], one["heads"]) for one in found] == [("linear", 1), ("linear", 2), ("mlp", 1), ("mlp", 2)]


@pytest.mark.slow
def test_recurrent(run_script: Any, tmp_path: Path) -> None:
    rows = [f"{text},{label},{split}" for split in ("train", "test") for text, label in (("good", 1), ("bad", 0)) * 16]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label,split", *rows]))
    options = [
        "--backbones",
        "gru:minilm_l6",
        "--tokens",
        "8",
        "--repeats",
        "1",
        "--table",
        tmp_path / "texts.csv",
    ]
    cost, reached = run_script("recurrent", *options)[-1]["results"]
    assert cost["multiply_adds"] == 8 * 2 * 2 * 3 * 192 * (384 + 192)
    assert reached["accuracy"] == 1.0


def test_mapping(run_script: Any) -> None:
    (pair,) = run_script("mapping", "--pairs", "1", "--seeds", "0")[-1]["functions"]
    assert (pair["coverage"], pair["missing"]) == (100, 0)
    assert pair["difference"] < 1e-4

"""Benchmarks of parts of a training step run whole, at their smallest, and say what they measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def results(script: str, *arguments: str) -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, HERE / script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])["results"]


def test_small_maps() -> None:
    found = results(
        "small_maps.py",
        "--backbones",
        "efficientnet_lite0",
        "--resolutions",
        "32",
        "--freeze",
        "0.75",
        "--repeats",
        "1",
    )
    assert [(one["backbone"], one["resolution"], one["frozen"]) for one in found] == [("efficientnet_lite0", 32, 0.75)]


def test_fused_heads() -> None:
    found = results("fused_heads.py", "--heads", "1,2", "--rows", "100", "--repeats", "1", "--device", "cpu")
    assert [(one["head"], one["heads"]) for one in found] == [("linear", 1), ("linear", 2), ("mlp", 1), ("mlp", 2)]


@pytest.mark.slow
def test_recurrent(tmp_path: Path) -> None:
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
        str(tmp_path / "texts.csv"),
    ]
    cost, reached = results("recurrent.py", *options)
    assert cost["multiply_adds"] == 8 * 2 * 2 * 3 * 192 * (384 + 192)
    assert reached["accuracy"] == 1.0


def test_mapping() -> None:
    arguments = [sys.executable, HERE / "mapping.py", "--pairs", "1", "--seeds", "0"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (pair,) = json.loads(done.stdout.strip().splitlines()[-1])["functions"]
    assert (pair["coverage"], pair["missing"]) == (100, 0)
    assert pair["difference"] < 1e-4

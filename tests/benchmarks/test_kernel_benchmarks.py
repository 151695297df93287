"""Benchmarks of parts of a training step run whole, at their smallest, and say what they measured."""

import json
import subprocess
import sys
from pathlib import Path

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


def test_mapping() -> None:
    arguments = [sys.executable, HERE / "mapping.py", "--pairs", "1", "--seeds", "0"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (pair,) = json.loads(done.stdout.strip().splitlines()[-1])["functions"]
    assert (pair["coverage"], pair["missing"]) == (100, 0)
    assert pair["difference"] < 1e-4

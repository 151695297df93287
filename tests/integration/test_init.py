"""What `graft init` writes runs to a registered model, as it is but for the size of the search."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SMALL = ["--set", "search.budget.trials=2", "--set", "training.epochs=2"]


def photos(directory: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200)), ("green", (30, 200, 30))):
        (directory / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(rng.normal(colour, 30, (36, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(directory / "photos" / name / f"{number}.png")
    return directory / "photos"


def reviews(directory: Path) -> Path:
    with (directory / "reviews.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review", "stars"])
        for number in range(36):
            word = ("awful", "fine", "wonderful")[number % 3]
            writer.writerow([number, f"a {word} thing, bought {number} days ago", number % 3 + 1])
    return directory / "reviews.csv"


@pytest.mark.slow
@pytest.mark.parametrize("make", [photos, reviews])
def test_what_it_writes_runs(make, tmp_path: Path, repository: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(repository / "platform"), "GRAFT_HOME": str(tmp_path / "home")}

    def graft(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("graft")), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = make(tmp_path)
    graft("init", data.name)
    summary = json.loads(graft("run", f"{data.stem}.yaml", "--json", *SMALL))
    assert (summary["status"], summary["task"]) == ("completed", "classification")
    assert summary["trials"]["total"] == 2
    assert summary["model_uri"] == f"models:/{data.stem}@champion"

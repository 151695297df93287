"""`graft fewshot`, as a user and a script see it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.models.load import check_backbone

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
needs_weights = pytest.mark.skipif(bool(check_backbone("efficientnet_lite0")), reason="needs the weights")


def painted(root: Path, each: int, classes: tuple[str, ...] = ("red", "green", "blue")) -> Path:
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = np.clip(np.array(COLOURS[name]) + rng.normal(0, 25, (24, 24, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@needs_weights
def test_json_is_one_object_with_the_keys_of_the_contract_and_the_model_answers(graft, tmp_path):
    root = painted(tmp_path / "colours", 3)
    done = graft("fewshot", root, "--set", "strategy.resolution=32", "--output", tmp_path / "model", "--json")
    assert (done.exit_code, done.err) == (0, "")
    told = done.json
    assert told.keys() >= {"k", "candidates", "chosen", "bundle", "seconds"}
    assert (told["k"], told["samples"], sorted(told["classes"])) == (3, 9, ["blue", "green", "red"])
    assert told["chosen"] in [one["method"] for one in told["candidates"]]
    for one in told["candidates"]:
        assert one.keys() == {"method", "estimate", "interval", "seconds"}
        assert one["interval"][0] <= one["estimate"] <= one["interval"][1]
        assert one["seconds"] >= 0
    (answer,) = graft("predict", tmp_path / "model", root / "red" / "0.png", "--json").json["predictions"]
    assert (answer["label"], answer["error"]) == ("red", None)
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


@needs_weights
def test_one_sample_a_class_has_no_estimate(graft, tmp_path, home):
    root = painted(tmp_path / "colours", 1)
    told = graft("fewshot", root, "--set", "strategy.resolution=32", "--json").json
    assert told["k"] == 1
    assert {(one["estimate"], one["interval"]) for one in told["candidates"]} == {(None, None)}
    assert told["chosen"] in [one["method"] for one in told["candidates"]]
    assert Path(told["bundle"]) == home / "fewshot" / "colours"
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["file/model", "/proc/nowhere/model"])
def test_where_the_model_cannot_go_is_told_before_samples_are_embedded(graft, tmp_path, home, monkeypatch, place):
    monkeypatch.setattr("graft.pipeline.fewshot.answer.embedded_in", None)
    (tmp_path / "file").write_text("mine")
    done = graft("fewshot", painted(tmp_path / "colours", 1), "--output", tmp_path / place)
    assert (done.exit_code, done.out) == (3, "")
    (line,) = done.err.splitlines()
    assert re.search(r"/model cannot be written \(.* at .*\); name another with --output$", line)
    assert not home.exists()


@pytest.mark.parametrize(
    ("make", "more", "told"),
    [
        (lambda root: painted(root, 3, ("red",)), (), "has 1 class"),
        (lambda root: root.mkdir(), (), "holds nothing that graft can learn from"),
        (lambda root: None, (), "does not exist; name a directory or a table"),
        (lambda root: painted(root, 2), ("--adapter", "lorra"), "but must be one of "),
        (lambda root: painted(root, 101), (), "there are 101 samples a class, but graft fewshot is for 100 at most"),
    ],
    ids=["one class", "nothing in it", "gone", "adapter", "too many"],
)
def test_what_cannot_be_learned_from_is_one_line_and_leaves_nothing(graft, tmp_path, home, make, more, told):
    make(tmp_path / "colours")
    done = graft("fewshot", tmp_path / "colours", *more)
    assert (done.exit_code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert told in line
    assert "; " in line, "it says what to do"
    again = graft("fewshot", tmp_path / "colours", *more, "--json")
    assert (again.err, json.loads(again.out)["problems"]) == ("", [line.removeprefix("graft: ")])
    assert not home.exists()

"""The parts of the benchmark of defaults that need no measurement."""

import importlib
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.spec.load import parse_job

HERE = Path(__file__).parent


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


def test_the_smallest_run_writes_a_set_and_ends_with_its_json_line(run_script: Any, tmp_path: Path) -> None:
    arguments = ["--cache", tmp_path, "--sets", "digits", "--train", "40", "--test", "20", "--only", "none"]
    found = run_script("defaults", *arguments)[-1]
    assert (found["benchmark"], found["results"][0]["methods"]) == ("defaults", [])
    assert len(list((tmp_path / "small/digits-40-20-0/train").rglob("*.png"))) == 40
    assert len(list((tmp_path / "small/digits-40-20-0/test").rglob("*.png"))) == 20


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("kind", ["image", "text"])
def test_its_jobs_are_jobs(module: Any, kind: str, by_hand: bool) -> None:
    one = module("small.tables").SmallSet(Path("/x.csv"), kind, Path("/x"))
    raw = module("defaults").job_of(one, "digits", 1, 5.0, by_hand)
    job = parse_job(raw)
    assert (job.search.budget.minutes, job.data.seed, bool(job.strategy.dump())) == (5.0, 1, by_hand)


def test_graft_is_held_against_the_better_of_each_kind(module: Any) -> None:
    defaults, outcome = module("defaults"), module("outcomes").Outcome
    labels = ["a"] * 10
    answers = {"probe": 6, "words": 7, "recipe": 5, "readme": 8, "graft": 9}
    outcomes = [outcome(name, 1.0, ["a"] * right + ["b"] * (10 - right), (0.0, 0.0)) for name, right in answers.items()]
    found = defaults.figures(outcomes, labels)
    assert (found["simple"]["of"], found["tuned"]["of"], found["readme"]["of"]) == ("words", "recipe", "readme")
    assert found["simple"]["value"] == pytest.approx(0.2)
    results = [{"set": "x", "seed": seed, **found} for seed in (0, 1)]
    both = next(one for one in defaults.over_seeds(results) if one["to"] == "both")
    assert (both["mean"], both["interval"]) == (pytest.approx(0.2), [pytest.approx(0.2)] * 2)
    assert defaults.over_seeds(results[:1])[0]["interval"] is None


def test_a_small_set_is_drawn_by_its_seed_and_keeps_a_third_for_the_test(module: Any) -> None:
    drawn = module("small.tables")._drawn
    rows = drawn(30, 0, (500, 1000))
    assert sorted(row for row, _ in rows) == list(range(30))
    assert sum(split == "test" for _, split in rows) == 10
    assert drawn(30, 0, (5, 5)) != drawn(30, 1, (5, 5))


def test_outcomes_that_are_there_are_not_measured_again(module: Any, tmp_path: Path) -> None:
    defaults, outcomes = module("defaults"), module("outcomes")
    one = module("small.tables").SmallSet(tmp_path / "x.csv", "text", tmp_path)
    one.path.write_text("text,label,split\na,x,train\nb,y,test\n")
    options = Namespace(cache=tmp_path, train=1, test=1, minutes=5.0, only=[], again=False)
    kept = tmp_path / "outcomes" / "defaults-x-1-1-0-graft-5min.json"
    outcomes.outcome_of("graft", lambda: (np.array(["y"]), {}), kept)
    assert [found.method for found in defaults.compare(one, "x", 0, options)] == ["graft"]

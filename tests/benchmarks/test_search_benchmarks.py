"""The parts of the benchmarks of search and distributed training that need no measurement, and each whole one, tiny."""

import importlib
import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.learner.checkpoints import CheckpointStore
from graft.learner.trial import TrialPayload
from graft.search.protocol import Checkpoint, CheckpointEpochs, Proposal
from graft.spec.strategy import Strategy

HERE = Path(__file__).parent
SCRIPTS = ("pbt_ddp", "exploit", "nested", "ddp_scaling", "meta_scaling", "schedulers", "budget", "time_to_quality")
METHODS = ("random", "one_epoch_top_k", "asha", "hyperband", "pbt", "pb2", "tpe+asha", "asha->pbt")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module as the scripts do, which have their own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_smallest_run_of_each_ends_with_its_json_line(script: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, HERE / f"{script}.py", "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads(done.stdout.strip().splitlines()[-1])["benchmark"] == script


# --- schedulers ---


def run_of(method: str, seed: int, values: list[float], test: float) -> dict[str, Any]:
    common = {"trials": 4, "exploits": 0, "seconds": 1.0}
    return {
        "data": "d",
        "method": method,
        "seed": seed,
        "values": values,
        "validation": max(values),
        "test": test,
        **common,
    }


@pytest.mark.parametrize(("wanted", "epochs"), [(0.1, 1), (0.5, 3), (0.91, None)])
def test_epochs_until_a_value_is_reached(module: Any, wanted: float, epochs: int | None) -> None:
    assert module("comparison.scores").epochs_until([0.2, 0.1, 0.9, 0.3], wanted) == epochs


def test_the_interval_of_a_mean_is_students(module: Any) -> None:
    mean = module("comparison.scores").Mean
    found = mean.of([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert found.text(2) == "2.00 ± 2.48"
    assert mean.of([1.0]).half_width is None


def test_methods_are_held_against_the_best_of_the_same_seed(module: Any) -> None:
    runs = [
        run_of("random", 0, [0.5, 0.5], test=0.6),
        run_of("random", 1, [0.99, 1.0], test=0.8),
        run_of("asha", 0, [0.2, 1.0], test=0.9),
        run_of("asha", 1, [0.5, 0.9], test=0.9),
    ]
    asha, random = module("comparison.scores").summarise(runs, budget=7)
    assert (asha["method"], random["method"]) == ("asha", "random"), "the best test score first"
    assert (asha["epochs_to_near_best"]["mean"], asha["reached"]) == ((2 + 7) / 2, 1)
    assert (random["epochs_to_near_best"]["mean"], random["reached"]) == ((7 + 1) / 2, 1)
    assert asha["gain"]["mean"] == pytest.approx((0.3 + 0.1) / 2)
    assert random["gain"] is None


def test_the_list_of_methods_is_whole(module: Any) -> None:
    assert tuple(module("comparison.methods").METHODS) == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_its_budget_and_no_more(module: Any, tmp_path: Path, method: str) -> None:
    """The search stage as it is, with the fourth root of the learning rate in the place of training."""
    methods, runs = module("comparison.methods"), module("comparison.runs")
    sizes = methods.Sizes(budget=24, epochs=4)
    experiment = Experiment.create(Home.find(tmp_path), methods.job_of(method, "digits", sizes, seed=1))

    def trial(proposal: Proposal, payload: TrialPayload, reporter: Any) -> None:
        epoch = max(proposal.reported, proposal.start.epoch if proposal.start else 0) + 1
        state = payload.store.state_file(Checkpoint(proposal.trial, proposal.segment, epoch))
        state.parent.mkdir(parents=True, exist_ok=True)
        state.touch()
        reporter.report(epoch, {"val/accuracy": proposal.strategy.lr**0.25 * epoch / 4, "train/seconds": 0.0})

    with mock.patch("graft.pipeline.stages.trial_runner.run_trial", trial):
        progress, _, values = runs.search(experiment, None, sizes)
    assert 0.9 * sizes.budget <= len(values) <= sizes.budget
    assert max(trial.epoch for trial in progress.trials.values()) == sizes.epochs
    assert bool(progress.exploits) == ("pb" in method)


def test_a_trial_that_did_not_go_on_where_it_was_is_noticed(module: Any, tmp_path: Path) -> None:
    in_process = module("comparison.in_process")
    population = module("pbt_ddp").Population("pbt", size=2, epochs=3, slots=2, workers=1)
    conductor, watcher = population.conductor(seed=0)
    payload = TrialPayload(None, CheckpointStore(tmp_path), CheckpointEpochs())
    execution = SimpleNamespace(is_over=lambda: False)

    def forgetful(proposal: Proposal, payload: TrialPayload, reporter: Any) -> None:
        reporter.report(1, {"val/accuracy": 0.5})

    with pytest.raises(RuntimeError, match="has trained epoch 1, but epoch 2 was due"):
        in_process.run_search(execution, conductor, watcher, forgetful, payload)


def test_finished_runs_are_found_again_and_others_left_out(module: Any, tmp_path: Path) -> None:
    schedulers = module("schedulers")
    options = Namespace(budget=6, epochs=2, limit=100, slots=2, seeds=2, idx=[], only=["random", "asha"])
    first, second, *_ = wanted = schedulers.tasks(options)
    assert len(wanted) == 4
    out = tmp_path / "runs.jsonl"
    other = {**first.key, "sizes": {**first.key["sizes"], "budget": 7}}
    out.write_text("".join(json.dumps({**key, "test": 0.5}) + "\n" for key in (first.key, other)))
    assert [one["method"] for one in schedulers._finished(out, wanted)] == ["random"]
    assert schedulers._finished(out, [second]) == []


# --- populations of distributed trials ---


def test_equal_seeds_give_equal_populations_and_others_do_not(module: Any) -> None:
    pbt_ddp = module("pbt_ddp")
    population = pbt_ddp.Population("pbt", size=4, epochs=8, slots=2, workers=2)
    first, again, other = (pbt_ddp.simulated(population, seed) for seed in (0, 0, 1))
    assert first.exploits > 0
    assert first.depth > 1
    assert first.copies == again.copies
    assert pbt_ddp.is_equal([first, again])
    assert not pbt_ddp.is_equal([first, other])


def test_weights_are_inherited(module: Any, tmp_path: Path) -> None:
    curves = module("replayed_curves")
    donor = Proposal("t01", Strategy(lr=0.03), epochs=3)
    curves.replay_simulated(donor, 1, tmp_path)
    best = curves.replay_simulated(donor, 2, tmp_path)["val/accuracy"]
    heir = Proposal("t02", Strategy(lr=0.03), Checkpoint("t01", 0, 2), segment=1, epochs=3)
    reports: list[float] = []
    reporter = SimpleNamespace(report=lambda epoch, metrics: reports.append(metrics["val/accuracy"]))
    curves.replay_alone(heir, tmp_path, reporter)
    assert reports == [best + curves.gain(heir, 3)]


def test_the_first_step_after_a_decision_is_noted_once(module: Any, tmp_path: Path) -> None:
    import torch

    timed = module("timed_training")
    parameter = torch.nn.Parameter(torch.zeros(1))

    def train(*arguments: Any) -> None:
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        for _ in range(2):
            optimizer.step()

    proposal, payload = Proposal("t01", Strategy(), segment=2), timed.TimedPayload(None, tmp_path)
    with mock.patch("timed_training.train_in_group", train):
        timed.train_timed(proposal, payload, SimpleNamespace(rank=1))
        assert timed.noted(tmp_path, "t01", 2) == {}, "only rank 0 takes notes"
        timed.train_timed(proposal, payload, SimpleNamespace(rank=0))
        first = timed.noted(tmp_path, "t01", 2)
        timed.train_timed(proposal, payload, SimpleNamespace(rank=0))
    assert first["received"] <= first["first step"]
    assert timed.noted(tmp_path, "t01", 2) == first


def test_exploits_and_fresh_groups_are_told_by_point(module: Any) -> None:
    exploit = module("exploit")
    assert exploit.seconds_since(10.0, {"received": 10.5, "first step": 12.0}) == {"received": 0.5, "first step": 2.0}
    found = {"exploit": [{"first step": 1.0}, {"first step": 3.0}], "fresh group": [{"first step": 9.0}]}
    assert exploit.rows(found) == [
        ["exploit", "first step", 2, 1.0, 2.0, 3.0, 2.0],
        ["fresh group", "first step", 1, 9.0, 9.0, 9.0, None],
    ]


# --- nested ---


def nested_outcomes(module: Any) -> dict[str, Any]:
    outcome = module("nesting.request").Outcome
    scores = {"0.1": 0.5, "0.2": 0.6}
    return {
        "a": [outcome(20.0, 10.0, 6.0, scores), outcome(30.0, 10.0, 6.0, scores)],
        "b": [outcome(40.0, 20.0, 6.0, scores), outcome(40.0, 20.0, 6.0, scores)],
    }


def test_ratios_are_taken_repeat_by_repeat(module: Any) -> None:
    found = module("nested").ratios(nested_outcomes(module))
    assert found["a/b"] == {"min": 0.5, "median": 0.625, "max": 0.75}
    assert found["a/b after the first start"] == {"min": 0.5, "median": 0.75, "max": 1.0}
    assert "a/c" not in found


def test_overhead_is_what_was_not_spent_inside_epochs(module: Any) -> None:
    rows = {row[0]: row for row in module("nested").rows(nested_outcomes(module))}
    assert rows["a"][2:] == [25.0, 10.0, 15.0, 6.0, 4.5, 0.6, 2]


def test_scores_that_differ_are_noticed(module: Any) -> None:
    nested, outcomes = module("nested"), nested_outcomes(module)
    assert nested.have_equal_scores(outcomes)
    other = module("nesting.request").Outcome(1.0, 0.0, 1.0, {"0.1": 0.5, "0.2": 0.7})
    assert not nested.have_equal_scores({**outcomes, "c": [other]})


def test_graft_and_the_scripts_train_the_same_list(module: Any) -> None:
    from graft.search.searchers.build import build_searcher

    request = module("nesting.request").Request("", "", 5, 2, 2, 400, 0.5)
    job = request.job()
    searcher = build_searcher(job.phases[0].searcher, job.strategy, job.objective, 0)
    drawn = [searcher.draw(index, ()) for index in range(5)]
    blocks = module("nesting.request").describe_backbone("efficientnet_lite0").num_blocks
    assert sorted(one.canonical(blocks).key() for one in drawn) == sorted(one.key() for one in request.strategies())
    assert searcher.draw(5, ()) is None


# --- scaling and budget ---


@pytest.mark.parametrize(("epoch", "steps", "images"), [(1, 1, 64), (1, 16, 1000), (3, 2, 2128)])
def test_images_are_counted_with_the_small_last_batch(module: Any, epoch: int, steps: int, images: int) -> None:
    assert module("scaling.work").images_after(epoch, steps, batch=64, rows=1000) == images


def test_scaling_is_the_median_of_the_repeats_ratios(module: Any) -> None:
    cases = module("scaling.work").cases_of([64, 128], [0.0])
    repeats = [
        {"one": {"together": [100.0, 120.0]}, "all": {"together": [150.0, 200.0], "apart": [180.0, 230.0]}},
        {"one": {"together": [100.0, 100.0]}, "all": {"together": [170.0, 200.0], "apart": [190.0, 200.0]}},
    ]
    small, large = module("ddp_scaling").summarise(cases, repeats, workers=2)
    assert small["ratio"] == {"min": 1.5, "median": pytest.approx(1.6), "max": 1.7}
    assert small["apart"] == pytest.approx(1.85)
    assert small["weak"] is None
    assert large["weak"] == 2.0


def test_the_budget_is_missed_on_either_side(module: Any) -> None:
    budget = module("budget")
    kept = {"minutes": 1.0, "status": "completed", "asked_s": 60.0, "process_s": 63.0, "trials": {"total": 3}}
    runs = [
        {**kept, "used_s": 58.5, "stopped_by": "minutes"},
        {**kept, "used_s": 66.0, "stopped_by": "minutes"},
        {"minutes": 1.0, "status": "failed", "error": "no", "process_s": 5.0},
    ]
    assert [budget.off(run) for run in runs] == [pytest.approx(0.025), pytest.approx(0.1), None]
    assert [row[-1] for row in budget.rows(runs)] == [True, False, False]

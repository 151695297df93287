"""Whole runs on real data and real weights: small, but nothing is replaced."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_digits

import graft
from graft.cli.jobs.run import Manner, run_and_report
from graft.cli.output.tell import tell_json
from graft.core.errors import Interrupted
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.result import Result
from graft.journal import events
from graft.journal.journal import read
from graft.models.bundle import read_bundle
from graft.pipeline.run import RunOptions, run_experiment
from graft.spec.load import parse_job
from graft.tracking.comparison_view import ViewKind, view_key
from graft.tracking.environment import settled

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

KINDS: tuple[ViewKind, ...] = ("strategies", "trials")
CONTRACT = {
    "experiment": str,
    "status": str,
    "metric": str,
    "validation": float,
    "test": float,
    "test_interval": (list, tuple),
    "winner": dict,
    "trials": dict,
    "exploits": int,
    "phases": list,
    "budget": dict,
    "workers": int,
    "nodes": int,
    "seconds": float,
    "stages": dict,
    "bundle": str,
    "model_uri": str,
    "tracking_uri": str,
    "experiment_dir": str,
}

JOB: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "digits", "limit": 300},
    "strategy": {
        "resolution": 32,
        "freeze": {"choice": [0.5, 1.0]},
        "lr": {"loguniform": [1e-3, 1e-2]},
        "penalty": {"choice": ["none", "l2_sp"]},
    },
    "training": {"epochs": 2},
    "search": {"scheduler": {"kind": "asha", "reduction_factor": 2}, "budget": {"trials": 3}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Home]:
    """One run that the tests below look at."""
    home = Home(tmp_path_factory.mktemp("home"))
    return graft.run(JOB, home=home.root), home


def test_the_summary_keeps_the_contract(finished: tuple[Result, Home]) -> None:
    summary = json.loads(json.dumps(finished[0].summary))
    assert {key: type(summary[key]) for key in CONTRACT if not isinstance(summary[key], CONTRACT[key])} == {}
    assert summary["status"] == "completed"
    assert set(summary["trials"]) >= {"total", "completed", "stopped", "failed", "duplicates"}
    assert summary["trials"]["total"] == 3
    assert list(summary["stages"]) == ["ingest", "search", "fit", "evaluate", "export", "register"]
    low, high = summary["test_interval"]
    assert low <= summary["test"] <= high
    # Ten classes: far better than chance, even after two epochs on three hundred digits.
    assert summary["test"] > 0.3


def test_the_summary_is_what_scripts_were_promised(finished: tuple[Result, Home], capsys) -> None:
    """Every key of docs/json.md that other tools read, as `graft run --json` prints it: plain, finite, consistent."""
    tell_json(finished[0].summary)
    summary = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (summary["task"], summary["modalities"], summary["metric"]) == ("classification", ["image"], "accuracy")
    validation, test = summary["metrics"]["validation"], summary["metrics"]["test"]
    assert list(validation) == list(test)
    assert {"accuracy", "macro_f1", "log_loss", "auroc", "ece"} <= set(test)
    for one in (*validation.values(), *test.values()):
        assert list(one) == ["value", "interval"]
        low, high = one["interval"]
        assert all(isinstance(number, float) for number in (low, one["value"], high))
        assert low <= high
    assert test["accuracy"] == {"value": summary["test"], "interval": summary["test_interval"]}
    assert validation["accuracy"]["value"] == pytest.approx(summary["validation"])

    seconds, values = zip(*summary["curve"], strict=True)
    assert seconds[0] == summary["first_model_s"] > summary["stages"]["ingest"]
    assert list(seconds) == sorted(seconds)
    assert seconds[-1] < summary["seconds"]
    assert list(values) == sorted({*values}), "only what is better is a point"
    assert values[-1] == summary["validation"]

    trials = {row["trial"] for row in finished[0].rows}
    assert summary["winner_trial"] in trials
    assert [list(one) for one in summary["recommended"]] == [
        ["trial", "strategy", "reason", "validation"] for _ in summary["recommended"]
    ]
    assert {one["trial"] for one in summary["recommended"]} <= trials
    assert summary["closed_form"] == [], "no head of this space is solved; tests/experiments/standing has their rows"


def test_the_model_predicts_and_comes_back_from_the_registry(finished: tuple[Result, Home]) -> None:
    result, home = finished
    digits = load_digits()
    images = [(image * 255 / 16).astype(np.uint8) for image in digits.images[:5]]
    answers = result.predict(images)
    champion = graft.load(result.summary["model_uri"], home=home.root)
    assert champion.predict_frame(images).equals(answers)
    assert answers["probability"].between(0, 1).all()
    assert [f"p({name})" for name in champion.names] == [column for column in answers if column.startswith("p(")]


def test_only_the_best_weights_are_kept(finished: tuple[Result, Home]) -> None:
    result, home = finished
    kept = {path.parent.name for path in Experiment.find(home, "latest").checkpoints.glob("*/*.safetensors")}
    assert kept == {row["trial"] for row in result.rows[:2]}


def test_mlflow_has_one_parent_and_a_nested_run_for_every_trial(finished: tuple[Result, Home]) -> None:
    result, home = finished
    assert result.summary["tracking_complete"]
    client = mlflow.MlflowClient(home.tracking_uri)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.run_name for run in parents] == [result.summary["experiment"]]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    assert len(children) == len(result.rows) == 3
    assert all(run.info.run_name.split()[1] == "efficientnet_lite0" for run in children)
    assert all("val/accuracy" in run.data.metrics and "lr" in run.data.params for run in children)
    assert {run.data.tags["graft.status"].split()[0] for run in children} <= {"complete", "stopped"}
    assert parents[0].data.metrics["final/test_accuracy"] == pytest.approx(result.summary["test"])
    artifacts = {item.path for item in client.list_artifacts(parents[0].info.run_id)}
    evaluation = {"report.json", "confusion_matrix.png", "worst_examples.png"}
    described = {"job.yaml", "plan.json", "data.json", "leaderboard.json", "leaderboard.csv", "leaderboard_table.json"}
    examination = {"doctor.html", "doctor.json", "quarantine.csv", "quarantine.parquet"}
    assert described | evaluation | examination <= artifacts
    assert parents[0].inputs.dataset_inputs
    (winner,) = [run for run in children if run.data.tags.get("graft.winner")]
    assert evaluation <= {item.path for item in client.list_artifacts(winner.info.run_id)}
    assert not [name for run in children for name in run.data.metrics if name.startswith("config/")]
    views = {f"mlflow.sharedViewState.{view_key(result.summary['experiment'], kind)}" for kind in KINDS}
    assert views <= set(experiment.tags)


@pytest.fixture
def registry(finished: tuple[Result, Home]) -> Iterator[None]:
    """MLflow in this process looks into the home."""
    mlflow.set_tracking_uri(finished[1].tracking_uri)
    yield
    mlflow.set_tracking_uri(None)


@pytest.mark.usefixtures("registry")
def test_the_registered_model_answers_its_own_example(finished: tuple[Result, Home]) -> None:
    model = mlflow.pyfunc.load_model(finished[0].summary["model_uri"])
    assert model.metadata.signature.inputs.input_names() == ["image"]
    (answer,) = model.predict(model.input_example).to_dict("records")
    assert answer["label"] in {str(digit) for digit in range(10)}
    assert 0 < answer["probability"] <= 1
    files = Path(mlflow.artifacts.download_artifacts(finished[0].summary["model_uri"]))
    assert {path.suffix for path in files.rglob("*") if path.is_file()} == {
        ".json",
        ".safetensors",
        ".txt",
        ".yaml",
        "",
    }


@pytest.mark.slow
def test_mlflow_serves_the_registered_model(finished: tuple[Result, Home], tmp_path: Path) -> None:
    result, home = finished
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    beside = Path(sys.executable).parent
    environment = {**os.environ, **settled(), "MLFLOW_TRACKING_URI": home.tracking_uri}
    environment["PATH"] = f"{beside}{os.pathsep}{environment['PATH']}"
    command = [str(beside / "mlflow"), "models", "serve", "-m", result.summary["model_uri"], "--env-manager", "local"]
    log = tmp_path / "log.txt"
    with log.open("wb") as stream:
        server = subprocess.Popen([*command, "-p", port], env=environment, stdout=stream, stderr=stream,
                                  start_new_session=True)  # fmt: skip
    try:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                break
            assert server.poll() is None, log.read_text()
            time.sleep(0.5)
        (example,) = home.artifact_root.rglob("serving_input_example.json")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", example.read_bytes(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            (prediction,) = json.loads(answer.read())["predictions"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    assert set(prediction) == {"label", "probability"}


def test_a_finished_experiment_does_nothing_again(finished: tuple[Result, Home]) -> None:
    result, home = finished
    heard: list[events.Event] = []
    again = run_experiment(Experiment.find(home, "latest"), home, RunOptions(listeners=(heard.append,)))
    stages = [event for event in heard if isinstance(event, events.StageStarted | events.StageSkipped)]
    assert {type(event) for event in stages} == {events.StageSkipped}
    for key in ("validation", "test", "winner", "bundle", "model_uri"):
        assert again.summary[key] == result.summary[key]


def test_a_run_that_died_while_exporting_exports_again(finished: tuple[Result, Home]) -> None:
    result, home = finished
    experiment = Experiment.find(home, "latest")
    (experiment.stages / "export.json").unlink()
    (experiment.bundle / "weights.safetensors").write_bytes(b"half")
    again = run_experiment(experiment, home)
    blank = [np.zeros((8, 8), np.uint8)]
    assert again.predict(blank).equals(result.predict(blank))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(finished: tuple[Result, Home], tmp_path: Path) -> None:
    result, _ = finished
    again = graft.run(JOB, overrides=["export.register=false", "search.scheduler=none"], home=tmp_path)
    assert {row["trial"]: row["strategy"] for row in again.rows} == {
        row["trial"]: row["strategy"] for row in result.rows
    }
    # ASHA stops some trials and their neighbours differ, but the first epoch of each is the same to the last bit.
    assert first_epochs(again) == first_epochs(result)
    assert again.summary["model_uri"] is None


def first_epochs(result: Result) -> dict[str, dict[str, float]]:
    journal = Path(result.summary["experiment_dir"]) / "journal.jsonl"
    reports = [event for _, event in read(journal) if isinstance(event, events.TrialReported)]
    # The second run finds the features that the first has computed; what a process takes of the machine is chance.
    changing = ("cache/", "system/")
    return {
        report.trial: {name: value for name, value in report.metrics.items() if not name.startswith(changing)}
        for report in reports
        if report.epoch == 1
    }


@pytest.mark.slow
def test_heads_that_are_trained_together_give_the_same_run(tmp_path: Path) -> None:
    def losses(how: str) -> dict[str, dict[int, float]]:
        overrides = [f"resources.fuse_heads={how}", "strategy.freeze=1.0", "search.scheduler=none"]
        overrides += ["search.budget.trials=5", "training.epochs=3", "export.register=false"]
        result = graft.run(JOB, overrides=overrides, home=tmp_path / how)
        assert result.summary["status"] == "completed"
        told: dict[str, dict[int, float]] = {}
        for _, event in read(Path(result.summary["experiment_dir"]) / "journal.jsonl"):
            if isinstance(event, events.TrialReported):
                told.setdefault(event.trial, {})[event.epoch] = event.metrics["train/loss"]
        return told

    together, alone = losses("always"), losses("never")
    assert sorted(together) == sorted(alone)
    assert len(together) == 5
    for trial, values in alone.items():
        assert together[trial] == pytest.approx(values, abs=1e-5)


@pytest.mark.slow
def test_weights_that_changed_under_the_same_name_are_read_again(tmp_path: Path) -> None:
    """A user's file is replaced between two runs, in one process and one Ray: the second has nothing of the first."""
    file = tmp_path / "mine.pth"
    weights = {"strategy.backbone": f"local:timm/mobilenetv3_small_050:{file}", "strategy.freeze": 1.0}
    small = {"search.scheduler": "none", "search.budget.trials": 2, "export.register": False}
    overrides = [f"{name}={value}" for name, value in {**weights, **small}.items()]

    def first_weights(seed: int) -> tuple[torch.Tensor, dict[str, int]]:
        torch.manual_seed(seed)
        network = timm.create_model("mobilenetv3_small_050")
        torch.save(network.state_dict(), file)
        result = graft.run(JOB, overrides=overrides, home=tmp_path / "home")
        champion = read_bundle(Path(result.summary["bundle"])).build()
        assert torch.equal(next(champion.backbone.parameters()), next(network.parameters()))
        return next(champion.backbone.parameters()), result.summary["cache"]

    first, _ = first_weights(1)
    second, cache = first_weights(2)
    assert not torch.equal(first, second)
    assert cache["misses"] > 0


@pytest.mark.slow
def test_an_interrupted_search_keeps_its_best_model_and_goes_on_later(tmp_path: Path) -> None:
    home = Home(tmp_path)
    experiment = Experiment.create(home, parse_job(JOB, ["training.epochs=3", "export.register=false"]))
    pressed: list[str] = []

    def press_ctrl_c(event: events.Event) -> None:
        if isinstance(event, events.TrialReported) and not pressed:
            pressed.append(event.trial)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="best model so far is in"):
        run_experiment(experiment, home, RunOptions(listeners=(press_ctrl_c,)))
    saved = next(experiment.directory.glob("best-so-far-*"))
    assert len(graft.load(saved).predict([np.zeros((8, 8), np.uint8)])[0].probabilities) == 10
    progress = Progress.of(experiment.journal_file, experiment.job())
    assert progress.status is events.ExperimentStatus.INTERRUPTED
    assert {trial.status for trial in progress.trials.values()} <= {"interrupted", "completed", "stopped"}

    finished_before = {trial.trial for trial in progress.trials.values() if trial.status != "interrupted"}
    result = run_experiment(experiment, home)
    assert result.summary["status"] == "completed"
    assert result.summary["trials"]["total"] == 3
    restarted = [event.trial for _, event in read(experiment.journal_file) if isinstance(event, events.TrialStarted)]
    assert all(restarted.count(trial) == 1 for trial in finished_before)
    reports = [event for _, event in read(experiment.journal_file) if isinstance(event, events.TrialReported)]
    assert len({(one.trial, one.epoch) for one in reports}) == len(reports), "no epoch is counted twice"


def test_a_folder_of_images_goes_the_same_way_and_bad_files_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(rng.normal(colour, 30, (40, 50, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
    broken = tmp_path / "photos" / "red" / "0.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    job = {
        "name": "colours",
        "data": {"kind": "image_folder", "path": str(tmp_path / "photos")},
        "strategy": {"resolution": 32, "freeze": 0.5, "batch_size": 4, "augment": "light"},
        "training": {"epochs": 2},
        "search": {"budget": {"trials": 1}},
        "export": {"register": False},
    }
    home = Home(tmp_path / "home")
    experiment = Experiment.create(home, parse_job(job))
    run_and_report(experiment, home, Manner(is_plain=True))
    out = capfd.readouterr().out
    summary = json.loads(out.strip().splitlines()[-1])
    assert summary["status"] == "completed"
    assert out.count("\n") == 1, "with --json, nothing but the object"
    ready = next(event for _, event in read(experiment.journal_file) if isinstance(event, events.DatasetReady))
    assert [one["path"] for one in ready.quarantine] == ["red/0.jpg"]
    ingested = next(event for _, event in read(experiment.journal_file) if isinstance(event, events.StageFinished))
    assert "1 unreadable left out: red/0.jpg" in ingested.detail
    assert ready.counts["train"] + ready.counts["validation"] + ready.counts["test"] == 23

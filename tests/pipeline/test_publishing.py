"""What the journal says of a run for MLflow's sake, and what is registered."""

import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.homes import Node

from graft.core.errors import TrackingError
from graft.core.storage import Home, write_json
from graft.experiments.directory import Experiment
from graft.journal.events import ExperimentStarted, TrialReported, TrialStarted
from graft.journal.journal import Journal
from graft.models.bundle import BundleSpec, write_bundle
from graft.models.libraries import build_backbone
from graft.models.network import Network, build_head
from graft.pipeline.publishing import importance_of, plan_made, register_bundle, sync_home
from graft.pipeline.run import check_job
from graft.pipeline.stages.export import INPUT_EXAMPLE
from graft.spec.load import parse_job
from graft.spec.modalities.image import ImagePreprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.tracking.mlflow import registration as mlflow
from graft.tracking.target import Target
from graft.workers.allocation import Allocation, ClusterResources
from graft.workers.allocation import Node as ClusterNode

JOB = parse_job({"name": "x", "data": "digits"})


def test_a_plan_says_with_what() -> None:
    made = plan_made(JOB, ClusterResources((ClusterNode(4.0), ClusterNode(2.0, 1.0))), Allocation(2.0, 0.5, 3))
    assert made.resources == "2 nodes, 6 CPU, 1 GPU"
    assert (made.cpus, made.gpus) == (2.0, 0.5)
    assert made.plan["job"] == "x"


class Guarded(BaseHTTPRequestHandler):
    """An MLflow server that is well, and wants a login."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not into the output of the tests."""


def test_a_wrong_login_is_told_before_a_run(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        job = parse_job({"name": "x", "data": "digits", "tracking": {"uri": f"http://127.0.0.1:{server.server_port}"}})
        with pytest.raises(TrackingError, match=r"refused the login \(401\); set MLFLOW_TRACKING_USERNAME"):
            check_job(job, Home(tmp_path))
        server.shutdown()


def test_a_server_that_is_down_is_no_reason_not_to_run(tmp_path: Path) -> None:
    check_job(parse_job({"name": "x", "data": "digits", "tracking": {"uri": "http://127.0.0.1:9"}}), Home(tmp_path))


def test_only_results_of_a_trial_s_own_strategy_say_what_mattered(tmp_path: Path, trials: Any) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        for number in range(9):
            plain = Strategy(lr=0.001 * (number + 1)).model_dump(mode="json")
            journal.append(TrialStarted(f"t{number}", plain, "x"))
            journal.append(TrialReported(f"t{number}", 1, {"val/accuracy": 0.1 * number}, 1.0))
        journal.append(TrialStarted("t9", plain, "x", start=("t1", 0, 1)))
        journal.append(TrialReported("t9", 2, {"val/accuracy": 1.0}, 1.0))
        journal.append(trials.exploited("t0", "t8", 1))
        journal.append(TrialReported("t0", 2, {"val/accuracy": 0.9}, 1.0))
    found = importance_of(tmp_path / "journal.jsonl", JOB)
    assert (found.trials, found.epoch) == (9, 1)


def leave_bundle(directory: Path) -> None:
    spec = BundleSpec(
        name="x",
        architecture="timm/test_efficientnet",
        strategy=Strategy(),
        modality="image",
        task=Classification(),
        names=("a", "b"),
        num_outputs=2,
        preprocessing=ImagePreprocessing(stored_size=32, resolution=32, mean=(0.5,) * 3, std=(0.5,) * 3),
    )
    backbone = build_backbone(spec.architecture, 32)
    write_bundle(directory, Network(backbone, build_head(spec.strategy.head, backbone.num_features, 2)), spec)


def test_a_registered_model_shows_an_image_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[Any] = []

    def register(directory: Path, target: Target, package: Any) -> Any:
        registered.append(package)
        return mlflow.RegisteredModel("x", "1")

    monkeypatch.setattr(mlflow, "register", register)
    experiment, target = Experiment(tmp_path), Target("http://host", "x")
    leave_bundle(experiment.bundle)
    assert register_bundle(experiment, target, experiment.bundle, "x") == ("models:/x/1", "1")
    assert registered[0].input_example is None, "an experiment without an image has none to show"
    example = {"input": {"image": "iVBORw=="}, "output": {"label": "a", "probability": 0.5}}
    write_json(tmp_path / INPUT_EXAMPLE, example)
    register_bundle(experiment, target, experiment.bundle, "x")
    assert list(registered[1].input_example["image"]) == ["iVBORw=="]
    assert set(registered[1].inputs) == {"image"}
    assert registered[1].outputs == {"label": "string", "probability": "double"}


@pytest.mark.slow
def test_a_home_in_a_store_has_its_runs_in_the_database_of_whoever_looks(node: Node, folder_home: str) -> None:
    experiment = Experiment.create(node("a", folder_home), JOB)
    with Journal(experiment.journal_file) as journal:
        journal.append(ExperimentStarted(experiment.name, experiment.name, {}, {}))
        journal.append(TrialStarted("t01", Strategy(lr=0.01).model_dump(mode="json"), "lr=0.01", 0, epochs=2))
        journal.append(TrialReported("t01", 1, {"val/accuracy": 0.5}, 1.0))
    there = node("b", folder_home)
    sync_home(there)
    sync_home(there)
    with sqlite3.connect(there.database) as database:
        assert database.execute("select count(*) from runs").fetchone() == (2,)
        assert database.execute("select count(*) from metrics where key = 'val/accuracy'").fetchone() == (1,)

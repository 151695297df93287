"""A service on a real Ray Serve: it answers as MLflow's server does, and goes on when a replica dies or is replaced."""

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import pytest
import ray
import torch
from mlflow.pyfunc.scoring_server import init
from starlette.testclient import TestClient
from tests.fixtures.bundles import write_tiny_bundle
from tests.fixtures.scoring_requests import REQUESTS, ScoringRequest, asked, cell, png
from tests.fixtures.served import free_port

from graft.core.errors import ResourceError
from graft.pipeline.serving.running import APPLICATION, Door, running
from graft.serving.predictor import Predictor
from graft.spec.service import ServiceSpec
from graft.tracking.mlflow.registration import signature_of
from graft.tracking.mlflow.scoring import TIMEOUT

IMAGES = [png(seed) for seed in range(24)]


@dataclass(frozen=True)
class Service:
    """One that runs, and what it was told."""

    address: str
    spec: ServiceSpec

    def post(self, request: ScoringRequest) -> tuple[int, str]:
        sent = urllib.request.Request(self.address, request.body, {"content-type": request.content_type})
        try:
            with urllib.request.urlopen(sent) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def probabilities(self, images: Sequence[bytes]) -> list[float]:
        status, text = self.post(asked(*map(cell, images)))
        assert status == 200, text
        return [one["probability"] for one in json.loads(text)["predictions"]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "pets")


@pytest.fixture(scope="module")
def service(bundle: Path, ray_session: None) -> Iterator[Service]:
    spec = ServiceSpec(
        model=str(bundle), min_replicas=2, max_replicas=2, cpus=0.25, batch_size=8, timeout_s=3600, body_mb=1
    )
    with running(spec, Door(free_port())) as address:
        yield Service(address, spec)


def said(bundle: Path, images: Sequence[bytes]) -> list[float]:
    """What `graft predict` says; with one thread, as a replica with less than two CPUs has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found = Predictor.from_directory(bundle).predict(list(images))
    torch.set_num_threads(before)
    return [one.probability or 0.0 for one in found]


def replicas() -> dict[str, str]:
    """The names of the actors, and their namespaces."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    return {one["name"]: one["namespace"] for one in actors if one["name"].startswith(f"SERVE_REPLICA::{APPLICATION}#")}


@pytest.mark.ray
@pytest.mark.slow
class TestRunning:
    """All on one service."""

    def test_every_request_is_answered_as_by_mlflow(self, service: Service, bundle: Path) -> None:
        saved = bundle.with_name("model")
        mlflow.pyfunc.save_model(
            str(saved),
            loader_module="graft.serving.mlflow_model",
            data_path=str(bundle),
            signature=signature_of({"image": "string"}, {"label": "string", "probability": "double"}),
            pip_requirements=["graft"],
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(TIMEOUT, "3600")
            client = TestClient(init(mlflow.pyfunc.load_model(str(saved))), raise_server_exceptions=False)
            for name, request in REQUESTS.items():
                headers = {"content-type": request.content_type}
                expected = client.post("/invocations", content=request.body, headers=headers)
                status, text = service.post(request)
                if expected.status_code == 200:
                    assert status == 200, name
                    assert _rounded(text) == _rounded(expected.text), name
                else:
                    assert (status, _words(text)) == (expected.status_code, _words(expected.text)), name

    def test_a_table_is_answered_bit_for_bit_as_by_predict(self, service: Service, bundle: Path) -> None:
        assert service.probabilities(IMAGES) == said(bundle, IMAGES)

    def test_requests_that_are_answered_together_get_their_own_answers(self, service: Service, bundle: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda image: service.probabilities([image])[0], IMAGES))
        assert found == pytest.approx(said(bundle, IMAGES), abs=1e-6)

    def test_a_request_that_is_too_large_is_refused(self, service: Service) -> None:
        status, text = service.post(ScoringRequest(b" " * 1_000_001))
        assert (status, json.loads(text)["error_code"]) == (413, "INVALID_PARAMETER_VALUE")

    def test_another_service_beside_it_is_refused(self, service: Service) -> None:
        with (
            pytest.raises(ResourceError, match="runs on this cluster already, at an address of its own; add to it by"),
            running(service.spec, Door(free_port())),
        ):
            pass

    def test_requests_go_on_when_a_replica_is_killed(self, service: Service, bundle: Path) -> None:
        expected, before = said(bundle, IMAGES), replicas()
        name, namespace = next(iter(before.items()))
        ray.kill(ray.get_actor(name, namespace))
        lost = 0
        while not (replicas().keys() - before.keys()):  # until another has taken its place
            status, _ = service.post(asked(cell(IMAGES[0])))
            assert status in (200, 500)
            lost += status == 500
        assert lost <= 1, "only what the dead replica had can be lost"
        assert service.probabilities(IMAGES) == expected

    def test_a_new_version_loses_no_request(self, service: Service, tmp_path: Path) -> None:
        from ray import serve

        from graft.pipeline.serving.application import app

        other = write_tiny_bundle(tmp_path / "other", seed=1)
        statuses: list[int] = []
        is_new = threading.Event()

        def ask() -> None:
            while not is_new.is_set():
                statuses.append(service.post(asked(cell(IMAGES[0])))[0])

        asking = threading.Thread(target=ask)
        asking.start()
        args = {**service.spec.model_dump(), "model": str(other)}
        serve.run(app(args), name=APPLICATION, route_prefix="/")
        is_new.set()
        asking.join()
        assert set(statuses) == {200}
        assert service.probabilities(IMAGES) == said(other, IMAGES)


def _words(text: str) -> list[str]:
    """Without their order: MLflow lists what it knows in that of a set, which is another in each process."""
    return sorted(re.findall(r"\w+", text))


def _rounded(text: str) -> list[dict[str, object]]:
    """Without the last digits, which depend on threads."""
    rows = json.loads(text)["predictions"]
    return [
        {name: f"{value:.6f}" if isinstance(value, float) else value for name, value in row.items()} for row in rows
    ]

"""Our server against the one of `mlflow models serve`, with a model that is logged as graft logs it."""

from collections.abc import Iterator
from pathlib import Path

import mlflow.pyfunc
import pytest
from mlflow.pyfunc.scoring_server import init
from starlette.testclient import TestClient
from tests.fixtures.bundles import write_tiny_bundle
from tests.fixtures.scoring_requests import REQUESTS, ScoringRequest

from graft.serving.mlflow_model import BundleModel
from graft.serving.predictor import Predictor
from graft.tracking.mlflow.registration import signature_of
from graft.tracking.mlflow.scoring import TIMEOUT, scoring_server


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "pets")


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """A busy machine may need minutes for its first answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TIMEOUT, "3600")
        yield


@pytest.fixture(scope="module")
def theirs(bundle: Path, patience: None) -> TestClient:
    """What `mlflow models serve` runs."""
    saved = bundle.with_name("model")
    outputs = {"label": "string", "probability": "double"}
    mlflow.pyfunc.save_model(
        str(saved),
        loader_module="graft.serving.mlflow_model",
        data_path=str(bundle),
        signature=signature_of({"image": "string"}, outputs),
        pip_requirements=["graft"],
    )
    return TestClient(init(mlflow.pyfunc.load_model(str(saved))), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def ours(bundle: Path, patience: None) -> TestClient:
    model = BundleModel(Predictor.from_directory(bundle))
    return TestClient(scoring_server(model.predict, model.inputs), raise_server_exceptions=False)


def posted(client: TestClient, request: ScoringRequest) -> tuple[int, str]:
    answer = client.post("/invocations", content=request.body, headers={"content-type": request.content_type})
    return answer.status_code, answer.text


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_is_answered_alike(ours: TestClient, theirs: TestClient, name: str) -> None:
    assert posted(ours, REQUESTS[name]) == posted(theirs, REQUESTS[name])


def test_the_requests_try_what_a_server_may_say(theirs: TestClient) -> None:
    assert {posted(theirs, one)[0] for one in REQUESTS.values()} >= {200, 400, 415}


@pytest.mark.parametrize("route", ["/ping", "/health", "/version", "/nowhere"])
def test_every_route_is_answered_alike(ours: TestClient, theirs: TestClient, route: str) -> None:
    assert (ours.get(route).status_code, ours.get(route).text) == (
        theirs.get(route).status_code,
        theirs.get(route).text,
    )

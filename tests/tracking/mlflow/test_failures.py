"""A server on the loopback interface that refuses, as one with `--app-name basic-auth` does."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from graft.core.errors import TrackingError
from graft.tracking.mlflow.shipping import Shipper
from graft.tracking.mlflow.store import open_store, tracking_errors
from graft.tracking.relay_files import RelayState
from graft.tracking.target import Target


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[Target]:
    status, text = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Not into the output of the tests."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Target(f"http://me:canary@127.0.0.1:{server.server_port}", "x")
        server.shutdown()


@pytest.mark.parametrize(
    ("refusing", "advice"),
    [
        ((401, "You are not authenticated."), "refused the login (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_"),
        ((403, "Permission denied"), "does not permit it (API request to endpoint"),
    ],
    indirect=["refusing"],
)
def test_a_login_that_is_refused_is_not_called_a_server_that_is_down(
    refusing: Target, advice: str, experiment_dir: Path, told: Callable[..., None]
) -> None:
    with pytest.raises(TrackingError) as caught, tracking_errors(refusing):
        open_store(refusing)
    told()
    shipped = Shipper(experiment_dir, refusing).ship()
    assert shipped.state is RelayState.UNSYNCED
    for line in (str(caught.value), shipped.message):
        assert advice in line
        assert "start it" not in line
        assert "canary" not in line
        assert "\n" not in line


def test_an_artifact_store_whose_library_is_not_installed_names_the_package(
    target: Target, experiment_dir: Path, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    told()

    def upload(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    monkeypatch.setattr("mlflow.MlflowClient.log_text", upload)
    advice = "needs the Python package boto3, which is not installed here; run `pip install 'boto3'`"
    shipped = Shipper(experiment_dir, target).ship()
    assert shipped.state is RelayState.UNSYNCED
    assert advice in shipped.message
    with pytest.raises(TrackingError, match="needs the Python package boto3"), tracking_errors(target):
        upload()


def test_a_failure_of_s3_is_told_as_one(target: Target) -> None:
    failure = type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})
    with (
        pytest.raises(TrackingError, match=r"in S3, which failed \(no credentials\); check AWS_"),
        tracking_errors(target),
    ):
        raise failure("no credentials")


def test_a_mistake_of_graft_is_not_blamed_on_the_store(target: Target) -> None:
    with pytest.raises(KeyError), tracking_errors(target):
        raise KeyError("run")

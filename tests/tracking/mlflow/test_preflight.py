"""What a store will never take shows before a run."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from graft.chaos.environment.disks import can_mount, read_only
from graft.core.errors import TrackingError
from graft.tracking.mlflow.preflight import WRITABLE_TAG, check_store
from graft.tracking.mlflow.store import MlflowClient, open_store
from graft.tracking.target import Target

EXPERIMENT = {"experiment_id": "7", "name": "x", "artifact_location": "s3://b/7", "lifecycle_stage": "active"}
ABSENT = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"})
FOUND = (200, {"experiment": EXPERIMENT})
# What a well server says that has the experiment, and no model of the name.
WELL = {"get-by-name": FOUND, "set-experiment-tag": (200, {}), "registered-models/get": ABSENT}

Answers = Mapping[str, tuple[int, Any]]


@contextmanager
def served(answers: Answers) -> Iterator[tuple[Target, list[str]]]:
    """A server that gives the answer of the first key that is in the path, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, content = next((answer for key, answer in answers.items() if key in self.path), (500, "Oops"))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write((content if isinstance(content, str) else json.dumps(content)).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Not into the output of the tests."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Target(f"http://me:canary@127.0.0.1:{server.server_port}", "x"), asked
        server.shutdown()


def test_a_server_that_takes_everything() -> None:
    with served(WELL) as (target, asked):
        assert check_store(target, "digits") == ""
    assert any("set-experiment-tag" in path for path in asked)


def test_an_experiment_that_is_not_there_is_made() -> None:
    answers = {**WELL, "get-by-name": ABSENT, "experiments/create": (200, {"experiment_id": "8"})}
    with served(answers) as (target, asked):
        assert check_store(target, None) == ""
    assert any("experiments/create" in path for path in asked)
    assert not any("registered-models" in path for path in asked)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"": (401, "You are not authenticated.")}, "refused the login (401)"),
        ({"": (403, "Permission denied")}, "does not permit it"),
        ({**WELL, "set-experiment-tag": (403, "Permission denied")}, "does not permit it"),
        ({**WELL, "set-experiment-tag": (405, "Method Not Allowed")}, "cannot be written"),
        ({**WELL, "get-by-name": ABSENT, "experiments/create": (403, "no")}, "does not permit it"),
        (
            {**WELL, "get-by-name": (200, {"experiment": {**EXPERIMENT, "lifecycle_stage": "deleted"}})},
            "was deleted; restore",
        ),
        ({**WELL, "registered-models/get": (403, "Permission denied")}, "does not permit it"),
        (
            {
                **WELL,
                "registered-models/get": (
                    200,
                    {
                        "registered_model": {
                            "name": "digits",
                            "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}],
                        }
                    },
                ),
            },
            "model name `digits` is that of a prompt",
        ),
    ],
)
def test_what_will_be_the_same_after_hours_is_told_before_them(answers: Answers, told: str) -> None:
    with served(answers) as (target, _), pytest.raises(TrackingError) as caught:
        check_store(target, "digits")
    assert told in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answers", [{"": (500, "Oops")}, {"": (503, "later")}, {"": (429, "slowly")}])
def test_what_may_pass_is_no_reason_not_to_run(answers: Answers) -> None:
    with served(answers) as (target, _):
        assert check_store(target, "digits").startswith("tracking store http://***@127.0.0.1")


@pytest.mark.parametrize(
    "message", ["attempt to write a readonly database", "cannot execute INSERT in a read-only transaction"]
)
def test_a_server_whose_database_can_only_be_read_is_told_of(message: str) -> None:
    with served({**WELL, "set-experiment-tag": (500, {"message": message})}) as (target, _):
        assert "can be read, but not written" in check_store(target, "digits")


def test_a_deleted_experiment_of_the_same_name(target: Target) -> None:
    store = open_store(target)
    assert check_store(target, "digits") == ""
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match=r"was deleted; restore it .*mlflow experiments restore -x"):
        check_store(target, "digits")
    store.client.restore_experiment(store.experiment_id)
    assert check_store(target, "digits") == ""
    assert WRITABLE_TAG not in store.client.get_experiment(store.experiment_id).tags


def test_the_name_of_a_prompt_can_be_no_model(target: Target) -> None:
    open_store(target)
    client = MlflowClient(target.uri, registry_uri=target.uri)
    for free in ("my-prompt", "o'neil", "a%2Fb", "me@home"):
        assert check_store(target, free) == ""
    client.create_prompt("my-prompt")
    with pytest.raises(TrackingError, match="model name `my-prompt` is that of a prompt"):
        check_store(target, "my-prompt")
    assert check_store(target, None) == ""


def test_a_home_that_was_moved(tmp_path: Path) -> None:
    def target(home: Path) -> Target:
        return Target(f"sqlite:///{home}/mlflow.db", "x", home / "mlartifacts")

    before, after = tmp_path / "before", tmp_path / "after"
    open_store(target(before))
    assert check_store(target(before), None, is_embedded=True) == ""
    before.rename(after)
    assert check_store(target(after), None, is_embedded=True) == ""
    before.symlink_to(after)
    assert check_store(target(after), None, is_embedded=True) == ""
    assert check_store(target(before), None, is_embedded=True) == ""


def test_a_database_that_can_only_be_read(tmp_path: Path) -> None:
    if reason := can_mount(tmp_path):
        pytest.skip(reason)
    open_store(mine := Target(f"sqlite:///{tmp_path}/there/mlflow.db", "x", tmp_path / "there"))
    with read_only(tmp_path / "there"), pytest.raises(TrackingError, match=r"tracking database .* cannot be"):
        check_store(mine, None)


def test_a_database_that_is_busy_is_no_reason_not_to_run(target: Target) -> None:
    store = open_store(target)
    with _writing(store.target):
        assert check_store(target, None) == ""


@contextmanager
def _writing(target: Target) -> Iterator[None]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(str(target.database()))) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.rollback()


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def lack(module: str) -> None:
        def fail(*_: object, **__: object) -> None:
            raise ModuleNotFoundError(f"No module named '{module}'", name=module)

        monkeypatch.setattr("graft.tracking.mlflow.store.MlflowClient", fail)

    return lack


def test_a_database_whose_driver_is_not_installed(imports: Callable[[str], None]) -> None:
    imports("psycopg2")
    with pytest.raises(TrackingError, match=r"needs the Python package psycopg2-binary"):
        check_store(Target("postgresql+psycopg2://host/db", "x"), None)

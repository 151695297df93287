import base64
from typing import Any

import pytest

from graft.tracking.ui_gate import Gate, GatedApplication, Request, Verdict

TOKEN, PORT = "s3cret-token", 5000
GATE = Gate(TOKEN, PORT)
HERE = f"127.0.0.1:{PORT}"
MLFLOW = "/ajax-api/2.0/mlflow"


def call(path: str = "/", method: str = "GET", query: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    """What the gate answers; ``inside`` if it lets the request through."""
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        answer.update(status=int(status.split()[0]), headers=dict(headers))

    def inside(environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"inside"]

    named = {f"HTTP_{name.upper()}": value for name, value in {"host": HERE, **headers}.items()}
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **named}
    body = b"".join(GatedApplication(inside, GATE)(environ, start_response)).decode()
    return answer["status"], answer["headers"], body


COOKIE = {"cookie": f"other=1; graft-ui-{PORT}={TOKEN}"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    ["/", "/get-artifact", f"{MLFLOW}/runs/search", "/api/2.0/mlflow-artifacts/artifacts/x", "/graphql", "/version"],
)
def test_nothing_is_answered_without_the_token(method: str, path: str) -> None:
    status, headers, body = call(path, method)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "graft ui" in body
    assert "inside" not in body


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": f"graft-ui-{PORT}=wrong"},
        {"cookie": f"graft-ui-{PORT + 1}={TOKEN}"},
        {"cookie": "\x00;;==;"},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Digest {TOKEN}"},
        {"authorization": "Basic nonsense!"},
        {"authorization": "Basic /w=="},
        {"authorization": "Bearer töken"},
    ],
)
def test_a_wrong_token_is_none(headers: dict[str, str]) -> None:
    assert call("/", **headers)[0] == 401
    assert call("/", query="token=wrong")[0] == 401
    assert call("/", query="token=")[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        COOKIE,
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()},
    ],
)
def test_the_token_lets_in(headers: dict[str, str]) -> None:
    assert call("/", **headers) == (200, {}, "inside")


def test_the_printed_address_begins_a_session_and_leaves_no_token_behind() -> None:
    status, headers, _ = call("/", query=f"token={TOKEN}&x=1")
    assert (status, headers["Location"], headers["Cache-Control"]) == (303, "/?x=1", "no-store")
    assert headers["Set-Cookie"] == f"graft-ui-{PORT}={TOKEN}; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example"])
def test_the_way_on_stays_on_this_server(path: str) -> None:
    assert call(path, query=f"token={TOKEN}")[1]["Location"].startswith("/evil.example")


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1:5000", "", "127.0.0.1:5001", "127.0.0.1", "10.evil:5000"])
def test_other_names_of_this_machine_are_refused(host: str) -> None:
    assert call("/health", **COOKIE, host=host)[0] == 403
    assert call("/", **COOKIE, host=host)[0] == 403


def test_whether_it_is_up_everybody_may_ask() -> None:
    assert call("/health")[0] == 200
    assert call("/health", "POST")[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/models/m/artifacts/bundle/weights.safetensors"),
        ("PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/x"),
        ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/x"),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/x"),
        ("POST", f"{MLFLOW}/upload-artifact"),
        ("POST", f"{MLFLOW}/artifacts/presigned-upload-url"),
        ("POST", f"{MLFLOW}/experiments/create"),
        ("POST", f"{MLFLOW}/model-versions/create"),
        ("POST", f"{MLFLOW}/registered-models/alias"),
        ("DELETE", f"{MLFLOW}/registered-models/alias"),
        ("PATCH", f"{MLFLOW}/model-versions/update"),
        ("POST", f"{MLFLOW}/model-versions/set-tag"),
        ("POST", f"{MLFLOW}/logged-models"),
        ("POST", f"{MLFLOW}/runs/create"),
        ("POST", f"{MLFLOW}/runs/delete"),
        ("POST", f"{MLFLOW}/webhooks"),
        ("POST", f"{MLFLOW}/gateway-proxy"),
        ("POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke"),
        ("PUT", f"{MLFLOW}/runs/search"),
        ("POST", f"{MLFLOW}/runs/search/../create"),
        ("POST", f"/{MLFLOW}/runs/search"),
        ("POST", f"{MLFLOW}/runs/searching"),
        ("POST", "/"),
        ("NONSENSE", "/"),
    ],
)
def test_models_files_and_runs_are_read_only_even_with_it(method: str, path: str) -> None:
    status, _, body = call(path, method, **COOKIE)
    assert status == 403
    assert "changes none of them" in body


@pytest.mark.parametrize("path", ["runs/search", "experiments/search", "logged-models/search", "runs/set-tag"])
def test_pages_may_ask_and_people_may_note(path: str) -> None:
    assert call(f"{MLFLOW}/{path}", "POST", **COOKIE)[0] == 200
    assert call("/graphql", "POST", **COOKIE)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_a_page_of_another_server_reaches_nothing_through_the_users_browser(headers: dict[str, str]) -> None:
    assert call(f"{MLFLOW}/runs/search", "POST", **COOKIE, **headers)[0] == 403
    assert call("/get-artifact", **COOKIE, **headers)[0] == 403


def test_its_own_pages_and_what_a_user_follows_do() -> None:
    own = {"origin": f"http://{HERE}", "sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}
    assert call(f"{MLFLOW}/runs/search", "POST", **COOKIE, **own)[0] == 200
    assert call("/", **COOKIE, sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200
    assert GATE.judge(Request("POST", "/", HERE, (TOKEN,), site="cross-site", is_navigation=True)) is Verdict.OTHER_SITE

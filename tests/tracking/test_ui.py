import urllib.parse
import urllib.request
from pathlib import Path

from graft.tracking.ui import TOKEN_VARIABLE, page_that_leads_to, ui_server


def test_the_server_is_for_this_user_on_this_machine_only(tmp_path: Path) -> None:
    server = ui_server("sqlite:////x.db", tmp_path, 5001)
    line = " ".join(server.command)
    assert "--uri sqlite:////x.db" in line
    assert server.token not in line
    assert server.environment[TOKEN_VARIABLE] == server.token
    assert server.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert server.environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == "localhost:5001,127.0.0.1:5001"
    assert server.environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert server.url == "http://127.0.0.1:5001"


def test_each_start_has_a_token_of_its_own(tmp_path: Path) -> None:
    one, other = (ui_server("sqlite:////x.db", tmp_path).token for _ in range(2))
    assert one != other
    assert len(one) >= 32


def test_the_token_stands_before_the_page(tmp_path: Path) -> None:
    server = ui_server("sqlite:////x.db", tmp_path, 5001)
    page = "http://127.0.0.1:5001/#/experiments/7/runs?workflowType=machine_learning"
    address = urllib.parse.urlsplit(server.address(page))
    assert urllib.parse.parse_qs(address.query) == {"token": [server.token]}
    assert (address.path, address.fragment) == ("/", page.partition("#")[2])
    assert server.address(server.url) == f"http://127.0.0.1:5001/?token={server.token}"


def test_a_browser_is_started_with_a_file_that_only_its_user_can_read() -> None:
    with page_that_leads_to("http://127.0.0.1:1/?token=secret#/a?b=1&c='\"<x>") as url:
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
        assert "secret" not in url
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert "url=http://127.0.0.1:1/?token=secret#/a?b=1&amp;c=&#x27;&quot;&lt;x&gt;" in path.read_text()
    assert not path.exists()

"""The first thing a submitted job does: the right version, data kept in the home, a usual command line."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from graft.core.errors import ResourceError, SpecError
from graft.submit.entry import UNSAID, entrypoint, keep, prepare


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a job was unpacked into."""
    (tmp_path / "unpacked" / "data" / "photos").mkdir(parents=True)
    (tmp_path / "unpacked" / "data" / "photos" / "1.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "unpacked")
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "nodes-home"))
    return tmp_path


def prepared(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["-c", *arguments])
    prepare()
    return sys.argv


def test_a_job_without_data_is_run_under_its_name(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepared(monkeypatch, UNSAID, UNSAID, UNSAID, "run", "mine") == [
        "graft", "run", "job.yaml", "--experiment", "mine",
    ]  # fmt: skip


def test_data_are_kept_in_the_home_that_is_named(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = there / "home"
    *_, override = prepared(monkeypatch, UNSAID, "0123", str(home), "run", "mine")
    kept = home / "uploads" / "0123" / "photos"
    assert override == f"data.path={kept}"
    assert (kept / "1.png").read_bytes() == b"x"


def test_data_lie_in_a_home_that_is_a_store_for_all_nodes(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (there / "share").mkdir()
    monkeypatch.setenv("GRAFT_COPIES", str(there / "copies"))
    *_, override = prepared(monkeypatch, UNSAID, "0123", f"folder://{there}/share", "run", "mine")
    kept = there / "share" / "uploads" / "0123" / "photos"
    assert override == f"data.path={kept}"
    assert (kept / "1.png").read_bytes() == b"x"


def test_the_home_of_the_node_is_taken_if_none_is_named(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, override = prepared(monkeypatch, UNSAID, "0123", UNSAID, "run", "mine")
    assert override == f"data.path={there / 'nodes-home' / 'uploads' / '0123' / 'photos'}"


def test_an_experiment_is_resumed_by_its_name(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepared(monkeypatch, UNSAID, UNSAID, UNSAID, "resume", "mine") == ["graft", "resume", "mine"]


def test_another_version_is_refused(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"graft 99\.0 has submitted this job, but the cluster has"):
        prepared(monkeypatch, "99.0", UNSAID, UNSAID, "run", "mine")


def test_data_are_copied_once_and_whole(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("first")
    kept = keep(source, tmp_path / "home" / "d")
    source.write_text("second")
    assert keep(source, tmp_path / "home" / "d") == kept
    assert kept.read_text() == "first"
    assert [one.name for one in (tmp_path / "home").iterdir()] == ["d"]


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    (tmp_path / "rows.csv").write_text("x")
    with pytest.raises(ResourceError, match="name a home that the cluster's nodes can write"):
        keep(tmp_path / "rows.csv", tmp_path / "file" / "d")


def test_the_command_line_is_one_for_a_shell() -> None:
    words = shlex.split(entrypoint([UNSAID, UNSAID, UNSAID, "run", "mine"]))
    assert words[:2] == ["python", "-c"]
    assert words[3:] == [UNSAID, UNSAID, UNSAID, "run", "mine"]
    compile(words[2], "entry", "exec")
    done = subprocess.run(
        ["sh", "-c", f"set -- {entrypoint(['a'])}; echo $#"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "4\n"

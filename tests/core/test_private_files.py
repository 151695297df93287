import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from graft.core.private_files import (
    close_directory,
    close_to_others,
    make_private_directory,
    open_private,
    open_regular,
    read_regular,
)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.usefixtures("umask")
def test_new_files_and_directories_are_their_owners_alone(tmp_path: Path) -> None:
    make_private_directory(tmp_path / "home")
    os.close(open_private(tmp_path / "home" / "lock", os.O_RDWR))
    assert mode(tmp_path / "home") == 0o700
    assert mode(tmp_path / "home" / "lock") == 0o600


@pytest.mark.usefixtures("umask")
def test_parents_that_are_made_with_it_are_closed_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private_directory(tmp_path / "home" / "memory" / "records")
    assert [mode(tmp_path / name) for name in (".", "home", "home/memory", "home/memory/records")] == [
        0o755, 0o700, 0o700, 0o700
    ]  # fmt: skip


def test_a_file_from_before_is_closed_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("kept")
    path.chmod(0o666)
    os.close(open_private(path, os.O_RDWR))
    assert (mode(path), path.read_text()) == (0o600, "kept")


def test_a_directory_of_ours_is_closed(tmp_path: Path) -> None:
    (tmp_path / "home" / "experiments").mkdir(parents=True)
    (tmp_path / "home" / "mlflow.db").touch()
    (tmp_path / "home" / ".gitignore").touch()
    for path, was in ((tmp_path / "home", 0o755), (tmp_path / "home" / "experiments", 0o777)):
        path.chmod(was)
    close_directory(tmp_path / "home", ("experiments", "mlflow.db", "cache"))
    assert [mode(tmp_path / "home" / name) for name in (".", "experiments", "mlflow.db")] == [0o700, 0o700, 0o600]


def test_a_directory_that_others_use_too_stays_open_and_what_is_ours_in_it_does_not(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "experiments").mkdir(parents=True)
    (project / "src").mkdir()
    for path in (project, project / "experiments", project / "src"):
        path.chmod(0o755)
    close_directory(project, ("experiments",))
    assert [mode(project / name) for name in (".", "experiments", "src")] == [0o755, 0o700, 0o755]


def test_a_directory_that_everybody_writes_to_is_never_closed(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    close_directory(tmp_path / "tmp", ("experiments",))
    assert mode(tmp_path / "tmp") == 0o1777


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("")
    (tmp_path / "public").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "public")
    close_to_others(tmp_path / "link")
    close_to_others(tmp_path / "missing")
    assert mode(tmp_path / "public") == 0o644


def test_a_file_system_without_modes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    close_directory(tmp_path / "home", ())
    assert "can be read by other users" in caplog.text


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"some")
    for flags in (os.O_RDONLY, os.O_RDWR):
        with pytest.raises(OSError, match="is a pipe, a device or a socket"):
            open_regular(tmp_path / "pipe", flags)
    with pytest.raises(OSError, match="is a pipe, a device or a socket"):
        read_regular("/dev/zero")
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
    assert read_regular(tmp_path / "file", 4) == b"some"
    with (tmp_path / "file").open("r+b") as stream:
        stream.truncate(5 << 20)
    with pytest.raises(OSError, match="is larger than 1 MiB"):
        read_regular(tmp_path / "file", 1 << 20)

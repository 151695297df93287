import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from graft.core.errors import ResourceError
from graft.pipeline.ray_directory import MAX_BYTES, ray_directory


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short directory that many users share."""
    place = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    place.chmod(0o1777)
    monkeypatch.setenv("RAY_TMPDIR", str(place))
    yield place
    subprocess.run(["rm", "-rf", str(place)], check=True)


def test_it_is_its_owners_alone_and_goes_at_the_end(base: Path) -> None:
    before = os.umask(0)
    try:
        with ray_directory() as directory:
            (directory / "session_1").mkdir()
            directory.chmod(0o777)  # as Ray does
            assert directory.parent.parent == base
            assert directory.parent.stat().st_mode & 0o777 == 0o700
            assert len(str(directory)) <= MAX_BYTES
    finally:
        os.umask(before)
    assert list(base.iterdir()) == []


def test_what_a_killed_session_left_goes_when_the_next_begins_and_what_lives_stays(base: Path) -> None:
    code = "import graft.pipeline.ray_directory as m\nwith m.ray_directory() as d: print(d, flush=True); input()"
    root = str(Path(sys.modules["graft"].__file__ or "").parents[1])
    environment = {"RAY_TMPDIR": str(base), "PYTHONPATH": root}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as living, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as killed:  # fmt: skip
        assert living.stdout
        assert killed.stdout
        theirs, left = (Path(process.stdout.readline().strip()).parent for process in (living, killed))
        killed.kill()
        killed.wait()
        assert left.is_dir()
        with ray_directory() as mine:
            assert {path.name for path in base.iterdir()} == {mine.parent.name, theirs.name}
        living.communicate("\n")
    assert list(base.iterdir()) == []


def test_what_is_not_ours_is_left_alone(base: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    (base / "graft-ray-link").symlink_to(tmp_path)
    (base / "graft-ray-file").touch()
    (base / "session_of_another").mkdir()
    with ray_directory():
        pass
    assert (tmp_path / "kept").exists()
    assert {path.name for path in base.iterdir()} == {"graft-ray-link", "graft-ray-file", "session_of_another"}


def test_logs_of_a_failed_run_are_kept(base: Path, tmp_path: Path) -> None:
    def run(error: BaseException | None) -> None:
        with ray_directory(tmp_path / "ray-logs") as directory:
            (directory / "session_2026" / "logs").mkdir(parents=True)
            (directory / "session_2026" / "logs" / "raylet.out").write_text("why")
            (directory / "session_latest").symlink_to("session_2026")
            if error:
                raise error

    run(None)
    assert not (tmp_path / "ray-logs").exists()
    with pytest.raises(ValueError, match="x"):
        run(ValueError("x"))
    assert (tmp_path / "ray-logs" / "raylet.out").read_text() == "why"


def test_sockets_fit_into_any_directory_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(deep))
    with pytest.raises(ResourceError, match=r"RAY_TMPDIR is .*, but must be at most \d+ bytes"), ray_directory():
        pass
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with ray_directory() as directory:
        assert directory.parent.parent == Path("/tmp")
        socket = directory / "session_2026-11-29_08-03-32_793827_4194304" / "sockets" / "plasma_store.1"
        assert len(os.fsencode(socket)) <= 103


def test_a_base_that_cannot_be_written_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/nowhere")
    with pytest.raises(ResourceError, match="no directory for Ray can be made in /nowhere"), ray_directory():
        pass

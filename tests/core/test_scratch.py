"""A directory in which something is made: one for each, and none is left of a killed process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graft.core.scratch import scratch_directory
from graft.core.storage import new_directory, replacing

BUILDER = """
import sys, os, signal
from pathlib import Path
from graft.core.storage import new_directory, replacing
with {how}(Path(sys.argv[1])) as scratch:
    scratch.mkdir(exist_ok=True)
    (scratch / "half").write_text("1")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", [new_directory, replacing])
def test_what_a_killed_process_left_goes_when_the_next_one_begins(tmp_path: Path, how) -> None:
    target = tmp_path / "data[1]"
    subprocess.run([sys.executable, "-c", BUILDER.format(how=how.__name__), str(target)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".data[1].")
    with how(target) as scratch:
        scratch.mkdir(exist_ok=True)
        assert not left.exists()
    assert [*tmp_path.iterdir()] == [target]


def test_who_still_builds_is_left_alone(tmp_path: Path) -> None:
    with scratch_directory(tmp_path / "data") as first, scratch_directory(tmp_path / "data") as second:
        assert first != second
        assert first.is_dir()
    assert [*tmp_path.iterdir()] == []


def test_other_hidden_things_are_left_alone(tmp_path: Path) -> None:
    others = [".data.notes", ".other.0123abcd", ".data.0123abcd.part", "data.0123abcd"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / ".data.0123abcd").write_text("a file")
    (tmp_path / ".data.0123abce").symlink_to(tmp_path / others[0])
    before = {one.name for one in tmp_path.iterdir()}
    with scratch_directory(tmp_path / "data"):
        pass
    assert {one.name for one in tmp_path.iterdir()} == before


def test_a_sweep_between_the_directory_and_its_lock_costs_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, swept = os.open, []

    def open_late(path, *flags):
        if not swept:
            swept.append(path)
            descriptor = usual(path, *flags)
            os.rmdir(path)
            return descriptor
        return usual(path, *flags)

    monkeypatch.setattr(os, "open", open_late)
    with scratch_directory(tmp_path / "data") as scratch:
        assert scratch.is_dir()
        assert scratch != swept[0]


def test_without_locks_nothing_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(9, "no locks")

    monkeypatch.setattr("fcntl.flock", none)
    with scratch_directory(tmp_path / "data") as first, scratch_directory(tmp_path / "data"):
        assert first.is_dir()

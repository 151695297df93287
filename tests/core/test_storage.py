import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graft.core import storage
from graft.core.errors import ArtifactError, ResourceError, SpecError
from graft.core.storage import (
    Home,
    canonical_json,
    disk_full_is_clear,
    file_digest,
    new_directory,
    read_json,
    replacing,
    text_digest,
    write_json,
    write_text,
)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def refuse(number: int) -> Callable[..., None]:
    """Stands for a system call that fails."""

    def call(*args: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture
def not_writable(tmp_path: Path) -> Path:
    """A path that nobody can write to: tests may run as root, for whom permissions do not count."""
    (tmp_path / "a_file").write_text("x")
    return tmp_path / "a_file" / "home"


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


class TestHome:
    def test_the_argument_comes_before_the_variable(self, tmp_path, monkeypatch):
        monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "variable"))
        assert Home.find(tmp_path / "argument").root == tmp_path / "argument"
        assert Home.find(str(tmp_path / "argument")).root == tmp_path / "argument"
        assert Home.find().root == tmp_path / "variable"

    @pytest.mark.parametrize("variable", [None, ""])
    def test_without_both_it_is_here(self, tmp_path, monkeypatch, variable):
        monkeypatch.delenv("GRAFT_HOME", raising=False)
        if variable is not None:
            monkeypatch.setenv("GRAFT_HOME", variable)
        monkeypatch.chdir(tmp_path)
        assert Home.find().root == tmp_path / ".graft"

    def test_it_is_absolute_and_knows_the_user(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "me"))
        assert Home.find("here").root == tmp_path / "here"
        assert Home.find("~/graft").root == tmp_path / "me" / "graft"

    @pytest.mark.parametrize("name", ["", "home/deeper"])
    def test_a_file_in_its_place_is_told_by_all_who_look_for_it(self, tmp_path, name):
        (tmp_path / "file").write_text("x")
        with pytest.raises(SpecError, match=r"file is no directory\); choose another with --home or GRAFT_HOME"):
            Home.find(tmp_path / "file" / name)

    def test_everything_lies_below_the_root(self, tmp_path):
        home = Home(tmp_path)
        assert {home.experiments, home.datasets, home.artifact_root} == {
            tmp_path / "experiments",
            tmp_path / "cache" / "datasets",
            tmp_path / "mlartifacts",
        }
        assert home.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"

    def test_finding_it_makes_nothing(self, tmp_path):
        Home.find(tmp_path / "home")
        assert names(tmp_path) == []

    def test_a_writable_home_is_made_and_left_without_files(self, tmp_path):
        Home(tmp_path / "a" / "home").require_writable()
        assert [path for path in (tmp_path / "a" / "home").rglob("*") if path.is_file()] == []

    @pytest.mark.parametrize("umask", [0o000, 0o022])
    def test_nobody_else_gets_into_a_home_new_or_old(self, tmp_path, umask):
        before = os.umask(umask)
        try:
            home = Home(tmp_path / "home")
            home.require_writable()
            made = [home.root, home.experiments, home.datasets.parent, home.artifact_root]
            assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 4
            home.database.touch()
            for path in (*made, home.database):
                path.chmod(0o777)
            home.require_writable()
            assert [path.stat().st_mode & 0o077 for path in (*made, home.database)] == [0] * 5
        finally:
            os.umask(before)

    def test_nobody_else_gets_into_a_home_that_holds_all_it_can(self, tmp_path):
        home = Home(tmp_path / "home")
        kept = [one for one in vars(Home).values() if isinstance(one, property) and one.fget is not None]
        places = [one.fget(home) for one in kept]
        inside = [one for one in places if isinstance(one, Path)]
        assert len(inside) > 8
        for one in inside:
            if one != home.database:
                one.mkdir(parents=True, exist_ok=True)
        home.root.chmod(0o755)
        home.require_writable()
        assert home.root.stat().st_mode & 0o777 == 0o700

    def test_a_home_that_cannot_be_made_is_a_clear_error(self, not_writable):
        with pytest.raises(ResourceError) as caught:
            Home(not_writable).require_writable()
        assert str(caught.value) == (
            f"home directory {not_writable} cannot be written (Not a directory); "
            "choose another with --home or GRAFT_HOME"
        )

    def test_a_home_that_is_a_file_is_a_clear_error(self, not_writable):
        with pytest.raises(ResourceError, match=r"cannot be written .*; choose another with --home or GRAFT_HOME"):
            Home(not_writable.parent).require_writable()
        assert not_writable.parent.read_text() == "x"

    def test_a_full_disk_is_noticed_before_anything_starts(self, tmp_path, monkeypatch):
        monkeypatch.setattr(storage.tempfile, "TemporaryFile", refuse(errno.ENOSPC))
        with pytest.raises(ResourceError, match="No space left on device"):
            Home(tmp_path).require_writable()


class TestWriteText:
    def test_it_makes_the_directory_and_replaces_the_file(self, tmp_path):
        path = tmp_path / "a" / "b.txt"
        write_text(path, "old")
        write_text(path, "new ü\r\n")
        assert path.read_bytes() == "new ü\r\n".encode()
        assert names(path.parent) == ["b.txt"]

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    def test_a_failing_write_leaves_the_old_text_and_nothing_else(self, tmp_path, monkeypatch, call):
        write_text(tmp_path / "x.json", "old")
        monkeypatch.setattr(storage.os, call, refuse(errno.EIO))
        with pytest.raises(OSError, match="Input/output error"):
            write_text(tmp_path / "x.json", "new")
        assert (tmp_path / "x.json").read_text() == "old"
        assert names(tmp_path) == ["x.json"]

    def test_what_cannot_be_encoded_leaves_the_old_text(self, tmp_path):
        write_text(tmp_path / "x.json", "old")
        with pytest.raises(UnicodeEncodeError):
            write_text(tmp_path / "x.json", "half \ud800")
        assert (tmp_path / "x.json").read_text() == "old"
        assert names(tmp_path) == ["x.json"]

    def test_an_interrupt_leaves_the_old_text_and_nothing_else(self, tmp_path, monkeypatch):
        def interrupt(*args: object) -> None:
            raise KeyboardInterrupt

        write_text(tmp_path / "x.json", "old")
        monkeypatch.setattr(storage.os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_text(tmp_path / "x.json", "new")
        assert (tmp_path / "x.json").read_text() == "old"
        assert names(tmp_path) == ["x.json"]

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_a_full_disk_is_a_clear_error(self, tmp_path, monkeypatch, number):
        monkeypatch.setattr(storage.os, "fsync", refuse(number))
        with pytest.raises(ResourceError) as caught:
            write_text(tmp_path / "x.json", "new")
        assert str(caught.value) == (
            f"no space left while writing {tmp_path / 'x.json'}; free some, or choose another --home"
        )
        assert names(tmp_path) == []

    def test_a_disk_without_room_for_another_file_is_a_clear_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(storage.Path, "open", refuse(errno.ENOSPC))
        with pytest.raises(ResourceError, match="no space left while writing"):
            write_text(tmp_path / "x.json", "new")

    def test_a_disk_without_room_for_its_directory_is_a_clear_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(storage.Path, "mkdir", refuse(errno.ENOSPC))
        with pytest.raises(ResourceError, match="no space left while writing"):
            write_text(tmp_path / "a" / "x.json", "new")

    def test_others_may_read_it_as_the_umask_says(self, tmp_path, umask):
        write_text(tmp_path / "x.json", "new")
        assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o666 & ~umask

    def test_the_text_is_on_the_disk_before_the_name_changes(self, tmp_path, monkeypatch):
        calls: list[str] = []
        for name in ("fsync", "replace"):
            real = getattr(os, name)
            monkeypatch.setattr(storage.os, name, lambda *args, n=name, r=real: (calls.append(n), r(*args))[1])
        write_text(tmp_path / "x.json", "new")
        assert calls == ["fsync", "replace"]


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from graft.core import storage
storage.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
storage.write_text(Path(sys.argv[1]), "new" * 100_000)
"""

KILLED_IN_THE_BLOCK = """
import os, signal, sys
from pathlib import Path
from graft.core.storage import new_directory
with new_directory(Path(sys.argv[1])) as scratch:
    (scratch / "half.bin").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_and_die(code: str, repository: Path, argument: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(repository / "platform")}
    done = subprocess.run([sys.executable, "-c", code, str(argument)], env=environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_killed_writer_leaves_the_old_text(tmp_path, repository):
    write_text(tmp_path / "x.json", "old")
    run_and_die(KILLED_WHILE_WRITING, repository, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "old"
    write_text(tmp_path / "x.json", "newer")
    assert (tmp_path / "x.json").read_text() == "newer"


def test_a_killed_builder_leaves_no_directory(tmp_path, repository):
    run_and_die(KILLED_IN_THE_BLOCK, repository, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert all(name.startswith(".data.") for name in names(tmp_path))


class TestNewDirectory:
    def test_it_appears_whole_at_the_end_of_the_block(self, tmp_path):
        with new_directory(tmp_path / "a" / "data") as scratch:
            (scratch / "x").write_text("1")
            assert not (tmp_path / "a" / "data").exists()
        assert (tmp_path / "a" / "data" / "x").read_text() == "1"
        assert names(tmp_path / "a") == ["data"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_a_failing_block_leaves_nothing(self, tmp_path, error):
        def fail() -> None:
            with new_directory(tmp_path / "data") as scratch:
                (scratch / "half").write_text("1")
                raise error

        with pytest.raises(error):
            fail()
        assert names(tmp_path) == []

    def test_what_another_process_made_meanwhile_is_kept(self, tmp_path):
        with new_directory(tmp_path / "data") as scratch:
            (scratch / "x").write_text("mine")
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "x").write_text("theirs")
        assert (tmp_path / "data" / "x").read_text() == "theirs"
        assert names(tmp_path) == ["data"]

    def test_a_file_in_its_place_is_not_overwritten(self, tmp_path):
        (tmp_path / "data").write_text("precious")
        with pytest.raises(NotADirectoryError), new_directory(tmp_path / "data"):
            pass
        assert (tmp_path / "data").read_text() == "precious"
        assert names(tmp_path) == ["data"]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only: a device that is always full")
    def test_a_full_disk_is_a_clear_error(self, tmp_path):
        def fill() -> None:
            with new_directory(tmp_path / "data") as scratch:
                (scratch / "x").write_text("1")
                Path("/dev/full").write_text("more than fits")

        with pytest.raises(ResourceError, match=rf"no space left while writing {tmp_path}/data; free some"):
            fill()
        assert names(tmp_path) == []

    def test_a_disk_without_room_for_another_directory_is_a_clear_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(storage.Path, "mkdir", refuse(errno.ENOSPC))
        with pytest.raises(ResourceError, match="no space left while writing"), new_directory(tmp_path / "data"):
            pass

    def test_others_may_read_all_of_it_as_the_umask_says(self, tmp_path, umask):
        with new_directory(tmp_path / "data") as scratch:
            (scratch / "sub").mkdir()
            for path in (scratch / "x", scratch / "sub" / "y"):
                path.touch(0o600)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
        assert modes == {name: (0o777 if name in ("data", "sub") else 0o666) & ~umask for name in modes}
        assert set(modes) == {"data", "sub", "x", "y"}


def test_only_a_full_disk_is_called_a_full_disk(tmp_path):
    with pytest.raises(PermissionError), disk_full_is_clear(tmp_path):
        raise PermissionError(errno.EACCES, "denied")


def test_json_comes_back_as_it_went(tmp_path):
    value = {"b": [1, None, True, "ü"], "a": 0.1}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value
    assert (tmp_path / "x.json").read_text().endswith("}\n")


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "x.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert read_json(tmp_path / "x.json") == 1


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe{}"])
def test_a_damaged_json_file_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{tmp_path}/x.json cannot be read as JSON \(.+\)"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("place", ["missing.json", "."])
def test_a_missing_json_file_is_named(tmp_path, place):
    with pytest.raises(ArtifactError, match="cannot be read as JSON"):
        read_json(tmp_path / place)


def test_equal_values_have_one_canonical_text():
    assert canonical_json({"b": 1, "a": [1.0, "ü"]}) == canonical_json({"a": [1.0, "ü"], "b": 1})
    assert json.loads(canonical_json({"b": 1, "a": [1.0, "ü"]})) == {"a": [1.0, "ü"], "b": 1}


def test_canonical_json_refuses_what_json_has_not():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_digests_are_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "x") == text_digest("abc") == expected


class TestReplacing:
    @pytest.fixture
    def kept(self, tmp_path: Path) -> Path:
        """A directory that is there already."""
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "a.txt").write_text("old")
        return tmp_path / "kept"

    @staticmethod
    def fill(fresh: Path) -> None:
        fresh.mkdir()
        (fresh / "a.txt").write_text("new")

    def test_the_new_one_takes_the_place_of_the_old_one(self, kept, tmp_path):
        with replacing(kept) as fresh:
            self.fill(fresh)
            assert (kept / "a.txt").read_text() == "old"
        assert (kept / "a.txt").read_text() == "new"
        assert list(tmp_path.iterdir()) == [kept]

    def test_there_need_be_none(self, tmp_path):
        with replacing(tmp_path / "first") as fresh:
            self.fill(fresh)
        assert [one.name for one in tmp_path.iterdir()] == ["first"]

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_a_failing_block_leaves_the_old_one_and_nothing_else(self, kept, tmp_path, error):
        def fail() -> None:
            with replacing(kept) as fresh:
                self.fill(fresh)
                raise error

        with pytest.raises(error):
            fail()
        assert (kept / "a.txt").read_text() == "old"
        assert list(tmp_path.iterdir()) == [kept]

    def test_of_a_link_the_directory_is_replaced(self, kept, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(kept)
        with replacing(link) as fresh:
            self.fill(fresh)
        assert link.is_symlink()
        assert (kept / "a.txt").read_text() == "new"

    def test_of_two_processes_the_last_one_stays(self, kept, tmp_path):
        with replacing(kept) as fresh:
            self.fill(fresh)
            with replacing(kept) as other:
                self.fill(other)
                (other / "a.txt").write_text("other")
        assert (kept / "a.txt").read_text() == "new"
        assert list(tmp_path.iterdir()) == [kept]

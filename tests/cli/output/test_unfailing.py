"""A command whose output cannot be written does its work, says so in one line, and ends with the right exit code."""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from graft.cli.output.unfailing import failure_of, has_no_reader, open_unfailing

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")

GRAFT = "import sys; sys.argv[0] = 'graft'; from graft.cli.main import main; main()"
# A command that shows something, works, and shows something again.
WORK = """
import sys
from pathlib import Path
import typer
from graft.cli import main as command_line
from graft.cli.output.captured_output import chatter_to

def work(place: Path):
    typer.echo("begun")
    with chatter_to(place / "log.txt") as user:
        print("x" * 100_000, file=user.err)
        print("a library")
        (place / "worked").write_text("yes")
    typer.echo("é" * 100_000)

command_line.app.command("work")(work)
sys.argv = ["graft", "work", sys.argv[1]]
command_line.main()
"""


def call(program: str, *arguments: str, **streams: IO[Any] | int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run([sys.executable, "-c", program, *arguments], env=environment, text=True, check=False, **given)  # type: ignore[call-overload,no-any-return]


def test_a_full_disk_costs_the_output_and_not_the_work(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = call(WORK, str(tmp_path), stdout=full)
    assert done.returncode == 3
    told = done.stderr.splitlines()[-1]
    assert told.startswith("graft: standard output cannot be written (No space left on device)")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "worked").exists()


def test_errors_that_cannot_be_told_cost_nothing_else(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = call(WORK, str(tmp_path), stderr=full)
    assert done.returncode == 0
    assert done.stdout.startswith("begun\né")
    assert (tmp_path / "worked").exists()


def test_a_reader_who_has_gone_wanted_no_more(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = call(WORK, str(tmp_path), stdout=write)
    os.close(write)
    assert (done.returncode, "Traceback" in done.stderr, "graft:" in done.stderr) == (0, False, False)
    assert (tmp_path / "worked").exists()


@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0 1 2"])
def test_a_closed_descriptor_is_given_to_no_file(closed: str, tmp_path: Path) -> None:
    closing = f"import os; [os.close(int(one)) for one in '{closed}'.split()]; import sys; "
    again = "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1], sys.argv[2]])"
    done = call(closing + again, WORK, str(tmp_path), stdin=subprocess.PIPE)
    assert done.returncode == 0
    assert (tmp_path / "worked").read_text() == "yes"


@pytest.mark.parametrize("arguments", [("schema",), ("--help",), ("experiments", "--json")])
def test_any_command_says_that_its_output_is_lost(arguments: Sequence[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = call(GRAFT, *arguments, stdout=full)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1


def test_an_error_keeps_its_exit_code_when_it_cannot_be_told(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        assert call(GRAFT, "validate", str(tmp_path / "no.yaml"), stderr=full).returncode == 2
        assert call(GRAFT, "validate", str(tmp_path / "no.yaml"), "--json", stdout=full).returncode == 2


def test_what_cannot_be_written_is_remembered() -> None:
    with open("/dev/full", "wb") as full, open_unfailing(os.dup(full.fileno())) as stream:
        print("x", file=stream)
        failure = failure_of(stream)
        assert failure is not None
        assert failure.errno == errno.ENOSPC
        assert not has_no_reader(stream)


def test_a_pipe_that_does_not_wait_gets_everything() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    reader = subprocess.Popen([sys.executable, "-c", "print(len(open(0).read()))"], stdin=read, stdout=subprocess.PIPE)
    os.close(read)
    with open_unfailing(write) as stream:
        print("x" * 1_000_000, file=stream)
        assert failure_of(stream) is None
    out, _ = reader.communicate()
    assert out.strip() == b"1000001"


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    read, write = os.pipe()
    with open_unfailing(write) as stream:
        print("a\udcff", file=stream)
    with open(read, "rb") as received:
        assert received.read() == b"a\\udcff\n"

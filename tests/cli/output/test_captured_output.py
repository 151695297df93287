import os
import subprocess
import sys

import pytest

from graft.cli.output.captured_output import chatter_to, terminal

# What libraries do: Python prints, and native code that writes to the descriptors. In a process of its own, because
# pytest replaces the streams of this one.
TALK = """
import os, sys
from pathlib import Path
from graft.cli.output.captured_output import chatter_to
with chatter_to(Path(sys.argv[1])) as user:
    print("python out")
    print("python err", file=sys.stderr)
    os.write(1, b"native out\\n")
    os.write(2, b"native err\\n")
    os.system("echo child out")
    user.out.write("for the user\\n")
    user.err.write("a warning for the user\\n")
print("ours again")
"""


def test_chatter_goes_to_the_log_and_ours_to_the_user(tmp_path, repository):
    log = tmp_path / "a" / "log.txt"
    environment = {**os.environ, "PYTHONPATH": str(repository / "platform")}
    done = subprocess.run([sys.executable, "-c", TALK, str(log)], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("for the user\nours again\n", "a warning for the user\n")
    assert sorted(log.read_text().splitlines()) == [
        "child out",
        "native err",
        "native out",
        "python err",
        "python out",
    ]


def test_after_it_everything_is_as_before(tmp_path, capfd):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with chatter_to(tmp_path / "log.txt"):
        pass
    os.write(1, b"native out\n")
    assert capfd.readouterr().out == "native out\n"
    assert (tmp_path / "log.txt").read_text() == ""
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_an_error_in_the_block_gives_the_terminal_back(tmp_path, capfd):
    with pytest.raises(ValueError, match="x"), chatter_to(tmp_path / "log.txt"):
        raise ValueError("x")
    os.write(2, b"native err\n")
    assert "native err" in capfd.readouterr().err


def test_a_second_run_appends(tmp_path, capfd):
    for _ in range(2):
        with chatter_to(tmp_path / "log.txt"):
            os.write(1, b"chatter\n")
    assert (tmp_path / "log.txt").read_text() == "chatter\n" * 2


def test_what_is_not_ascii_reaches_the_user(tmp_path, capfd):
    with chatter_to(tmp_path / "log.txt") as user:
        user.out.write("✓ größer\n")
    assert capfd.readouterr().out == "✓ größer\n"


def test_the_streams_as_they_are():
    assert terminal().out is sys.stdout
    assert terminal().err is sys.stderr

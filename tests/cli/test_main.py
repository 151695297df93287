import json
import os
import subprocess
import sys
import sysconfig
import warnings

import pytest

from graft.cli.shadowing import _strangers
from graft.core.errors import (
    ArtifactError,
    DataError,
    Interrupted,
    Problem,
    ResourceError,
    SpecError,
    TrackingError,
    TrialError,
)
from graft.spec import load


@pytest.fixture
def failing(monkeypatch):
    """Makes `graft validate` raise what it is given."""

    def fail(error: BaseException) -> None:
        def raise_it(*args: object) -> None:
            raise error

        monkeypatch.setattr(load, "load_job", raise_it)

    return fail


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (SpecError("the job is wrong"), 2),
        (DataError("the data are wrong"), 2),
        (ResourceError("the disk is full"), 3),
        (TrialError("no trial got a score"), 1),
        (ArtifactError("the bundle is damaged"), 1),
        (TrackingError("the store is gone"), 1),
        (Interrupted("interrupted"), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line_and_its_exit_code(graft, failing, error, exit_code):
    failing(error)
    done = graft("validate", "x.yaml")
    assert (done.exit_code, done.out, done.err) == (exit_code, "", f"graft: {error}\n")


def test_every_problem_is_a_line_that_says_who_speaks(graft, failing):
    failing(SpecError([Problem("", "one thing"), Problem("", "another thing")]))
    assert graft("validate", "x.yaml").err == "graft: one thing\ngraft: another thing\n"


@pytest.mark.parametrize("error", [DataError, SpecError, ResourceError])
@pytest.mark.parametrize("arguments", [(), ("--debug",)])
def test_a_name_in_an_error_cannot_write_lines_of_its_own(graft, failing, error, arguments):
    failing(error("\x1b[2J\u202ephoto\ngraft: done.png is damaged"))
    done = graft(*arguments, "validate", "x.yaml")
    assert done.err.splitlines()[-1] == r"graft: \x1b[2J\u202ephoto\ngraft: done.png is damaged"
    assert not {"\x1b", "\u202e"} & set(done.err)


def test_a_bug_is_one_line_that_asks_for_a_report(graft, failing):
    failing(ZeroDivisionError("division by zero"))
    done = graft("validate", "x.yaml")
    assert (done.exit_code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("graft: internal error: ZeroDivisionError: division by zero; ")
    assert "please report it with the output of `graft --debug" in line


def test_a_python_without_docstrings_is_told_before_a_library_dies_of_it():
    code = "import sys; sys.argv = ['graft', 'experiments']; from graft.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "graft: Python is told to drop docstrings (PYTHONOPTIMIZE=2 or -OO), which libraries need to be loaded; "
        "unset it, or set it to 1, and run again\n"
    )


@pytest.mark.parametrize("text", ["x = 1", "raise SystemExit('not me')"], ids=["other", "ends"])
def test_a_module_that_takes_the_place_of_a_library_is_named(tmp_path, text):
    (tmp_path / "yaml.py").write_text(text)
    (tmp_path / "ray.py").write_text("has nothing to do with it")
    code = "import sys; sys.argv = ['graft', 'validate', 'job.yaml']; from graft.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"graft: `import yaml` gives {tmp_path}/yaml.py, which takes the place of the library of that name; rename "
        "it, or take its directory from PYTHONPATH\n"
    )


def test_what_a_library_brings_along_takes_the_place_of_nothing(tmp_path, monkeypatch):
    """Ray puts a directory of its own, with another psutil, in front of all others."""
    inside, outside = tmp_path / "site" / "ray" / "others", tmp_path / "mine"
    for directory in (inside, outside):
        directory.mkdir(parents=True)
        (directory / "yaml.py").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "site"))
    (tmp_path / "site" / "yaml.py").touch()
    for first, second, found in ((inside, outside, []), (outside, inside, [("yaml", str(outside / "yaml.py"))])):
        monkeypatch.setattr(sys, "path", [str(first), str(second)])
        assert list(_strangers()) == found


def test_a_file_that_ends_too_soon_is_no_user_who_has_gone(graft, failing):
    failing(EOFError("no data left in file"))
    (line,) = [one for one in graft("validate", "x.yaml").err.splitlines() if one]
    assert line.startswith("graft: internal error: EOFError: no data left in file; ")


def test_a_bug_with_a_long_story_is_one_line_too(graft, failing):
    failing(ValueError("first\nsecond\nthird"))
    assert len(graft("validate", "x.yaml").err.splitlines()) == 1


def test_a_bug_is_one_json_object_too(graft, failing):
    failing(ZeroDivisionError("division by zero"))
    done = graft("validate", "x.yaml", "--json")
    assert (done.exit_code, done.err) == (1, "")
    assert (done.json["status"], done.json["exit_code"]) == ("failed", 1)
    assert done.json["error"].startswith("internal error: ZeroDivisionError")


def test_debug_shows_where_it_happened(graft, failing):
    failing(ZeroDivisionError("division by zero"))
    done = graft("--debug", "validate", "x.yaml")
    assert done.exit_code == 1
    assert "Traceback (most recent call last)" in done.err
    assert "raise_it" in done.err
    assert done.err.splitlines()[-1].startswith("graft: internal error: ")


def test_without_debug_there_is_no_traceback(graft, failing):
    failing(ZeroDivisionError("division by zero"))
    assert "Traceback" not in graft("validate", "x.yaml").err


@pytest.mark.parametrize("error", [ResourceError("the disk is full"), SpecError("the job is wrong")])
def test_an_error_with_json_is_one_object(graft, failing, error):
    failing(error)
    done = graft("validate", "x.yaml", "--json")
    assert (done.exit_code, done.err) == (error.exit_code, "")
    assert len(done.out.splitlines()) == 1
    assert done.json == {
        "status": "failed",
        "exit_code": error.exit_code,
        "error": str(error),
        "problems": [str(error)],
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("validat", "x.yaml"), "Did you mean 'validate'?"),
        (("validate", "x.yaml", "--nope"), "No such option: --nope"),
        (("validate",), "Missing argument 'JOB'"),
        (("run", "x.yaml", "--set"), "Option '--set' requires an argument"),
        (("ui", "--port", "0"), "Invalid value for '--port'"),
        (("track", "nope"), "No such command 'nope'"),
    ],
)
def test_a_wrong_command_line_exits_2_and_says_what(graft, arguments, told):
    done = graft(*arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("frobnicate",), "graft"),
        (("validate",), "graft validate"),
        (("--debug", "validate", "x.yaml", "--nope"), "graft validate"),
        (("journal", "show", "--kind"), "graft journal show"),
        (("journal", "nope"), "graft journal"),
        (("cache", "rm", "--older-than"), "graft cache rm"),
        (("status", "validate", "--nope"), "graft status"),
    ],
)
def test_a_wrong_command_line_points_to_the_help_of_its_own_command(graft, arguments, command):
    assert graft(*arguments).err.strip().endswith(f"; see `{command} --help`")


def test_a_wrong_command_line_with_json_is_one_object(graft):
    done = graft("validate", "--json")
    assert done.exit_code == 2
    assert done.json["status"] == "failed"
    assert done.json["exit_code"] == 2
    assert "JOB" in done.json["problems"][0]


def test_ctrl_c_is_one_line(graft, failing):
    failing(KeyboardInterrupt())
    done = graft("validate", "x.yaml")
    assert (done.exit_code, done.out, done.err) == (130, "", "graft: interrupted\n")


def test_ctrl_c_with_json_is_one_object(graft, failing):
    failing(KeyboardInterrupt())
    done = graft("validate", "x.yaml", "--json")
    assert json.loads(done.out)["status"] == "failed"
    assert (done.exit_code, json.loads(done.out)["exit_code"]) == (130, 130)


@pytest.mark.parametrize("arguments", [(), ("--debug",), ("--json",)])
def test_a_librarys_error_is_shown_without_the_login_in_it(graft, failing, arguments):
    failing(OSError("HTTPConnectionPool: http://me:canary@host failed with url: /api?token=canary"))
    done = graft(*[one for one in arguments if one == "--debug"], "validate", "x.yaml", *[
        one for one in arguments if one == "--json"
    ])  # fmt: skip
    assert done.exit_code != 0
    assert "canary" not in done.out + done.err
    assert "http://***@host" in done.out + done.err


def test_the_command_line_is_a_module_too():
    done = subprocess.run([sys.executable, "-m", "graft", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("graft ")


def test_a_working_directory_that_is_gone_is_told_before_a_library_dies_of_it(graft, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = graft("predict", "model", tmp_path)
    told = "the working directory has been deleted; change to one that is there (cd), and run again"
    assert (done.exit_code, done.err) == (3, f"graft: {told}\n")
    assert graft("predict", "--help").exit_code == 0


@pytest.mark.parametrize("width", ["0", "1", "-5", "wide", ""])
def test_a_width_that_is_none_hides_nothing(graft, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    assert "graft predict" in graft("predict", "--help").out
    assert "COLUMNS" not in os.environ


def test_a_user_who_is_only_a_number_has_a_name_and_a_home_for_libraries(graft, monkeypatch):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123_456)
    assert graft("--version").exit_code == 0
    assert (os.environ["LOGNAME"], os.path.expanduser("~")) == ("uid4000123456", "/")


def test_a_warning_of_a_library_ends_nothing_whatever_the_shell_says(graft, monkeypatch):
    def warned(*_: object) -> None:
        warnings.warn("a function is old", DeprecationWarning, stacklevel=1)
        raise DataError("the data are wrong")

    monkeypatch.setattr(load, "load_job", warned)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert graft("validate", "x.yaml").err == "graft: the data are wrong\n"
    assert (os.environ.get("PYTHONWARNINGS"), sys.warnoptions) == (None, [])

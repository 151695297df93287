"""How the process of a command ends."""

import subprocess
import sys

import pytest

# What a library leaves to be called when the C library ends a process, as destructors in C++ are.
AT_EXIT = """
import ctypes, sys
ctypes.CDLL(None).__cxa_atexit(ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p), None, None)
"""
COMMAND = "from graft.__main__ import run\nrun()"


def ended(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("arguments", "code"), [(("--version",), 0), (("validate", "nowhere.yaml"), 2)])
def test_no_library_that_dies_at_the_end_changes_the_exit_code(arguments: tuple[str, ...], code: int) -> None:
    done = ended(AT_EXIT + COMMAND, *arguments)
    assert done.returncode == code
    assert done.stdout or done.stderr


def test_what_python_has_to_end_is_ended_and_what_was_printed_is_written() -> None:
    before = """
import atexit, threading, time
import graft.cli
atexit.register(print, 'the handler', end='')
threading.Thread(target=lambda: (time.sleep(0.2), print('the thread'))).start()
"""
    done = ended(before + COMMAND, "--version")
    assert "the thread" in done.stdout
    assert done.stdout.endswith("the handler")


def test_a_program_that_only_imports_it_ends_as_python_has_it() -> None:
    assert ended(AT_EXIT + "import graft.__main__").returncode == -6


def test_these_tests_end_alike() -> None:
    """The tests of CI had all passed, and said so, when a thread of a library ended the process."""
    plugin = f"{AT_EXIT}import pytest\nsys.exit(pytest.main(['-q', '-n0', '-p', 'no:cacheprovider', *sys.argv[1:]]))"
    passed = ended(plugin, f"{__file__}::test_a_program_that_only_imports_it_ends_as_python_has_it")
    assert (passed.returncode, "1 passed" in passed.stdout) == (0, True), passed.stdout + passed.stderr
    assert ended(plugin, f"{__file__}::nothing").returncode == pytest.ExitCode.USAGE_ERROR

"""The slow tests by quarters: each is in exactly one, and tests that share a run are in the same."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.fixture(scope="module", params=[*"abcdefgh"])
def run(request):
    return request.param

@pytest.mark.slow
def test_first(run): ...

@pytest.mark.slow
def test_second(run): ...

@pytest.mark.slow
class TestTogether:
    def test_one(self): ...
    def test_other(self): ...

def test_quick(): ...
"""


@pytest.fixture(scope="module")
def collected(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The tests of each quarter, and of a run without."""
    place = tmp_path_factory.mktemp("suite")
    shutil.copy(repository / "tests" / "conftest.py", place)
    paths = f"{repository / 'platform'} {repository}"
    (place / "pytest.ini").write_text(f"[pytest]\nmarkers = slow: takes minutes\npythonpath = {paths}\n")
    (place / "test_it.py").write_text(TESTS)
    found = {}
    for options in ("", "--quarter=1", "--quarter=2", "--quarter=3", "--quarter=4"):
        command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *options.split()]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
        found[options] = {line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line}
    return found


def test_every_slow_test_is_in_one_quarter_beside_those_it_shares_a_run_with(collected: dict[str, set[str]]) -> None:
    everything, *quarters = collected.values()
    assert len(everything) == 2 * 8 + 2 + 1
    slow = [quarter - {"test_quick"} for quarter in quarters]
    assert sum(len(quarter) for quarter in slow) == len(set().union(*slow)) == len(everything) - 1
    for quarter in slow:
        shared = {name.replace("first", "second").replace("one", "other") for name in quarter}
        assert shared <= quarter


def test_the_other_tests_are_in_all(collected: dict[str, set[str]]) -> None:
    assert all("test_quick" in tests for tests in collected.values())

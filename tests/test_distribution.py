"""A test runs in one process and, if it is slow, in one quarter, beside those that it shares something with."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests import distribution
from tests.distribution import QUARTERS, WORKERS, Recorder, deal, quarter_of, recorded, unit_of

WITH_RAY = """
import sys
import types

sys.modules.setdefault("ray", types.SimpleNamespace(init=lambda: None))  # in place of what `ray_session` starts

def test_it():
    sys.modules["ray"].init()
"""
SLOW = """
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("letter", "abcdefgh")
def test_it(letter): ...

def test_quick(): ...
"""


def item(nodeid: str, call: str | None = None, is_slow: bool = True) -> Any:
    given = {"callspec": SimpleNamespace(id=call)} if call else {}
    return SimpleNamespace(nodeid=nodeid, get_closest_marker=lambda name: is_slow, **given)


@pytest.fixture(scope="module")
def output(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a run of four files by two workers, and of one quarter of its slow tests."""
    place = tmp_path_factory.mktemp("suite")
    shutil.copy(repository / "tests" / "conftest.py", place)
    paths = f"{repository / 'platform'} {repository}"
    (place / "pytest.ini").write_text(f"[pytest]\nmarkers = slow: takes minutes\npythonpath = {paths}\n")
    for name, text in {"one": WITH_RAY, "other": WITH_RAY, "plain": "def test_it(): ...", "slow": SLOW}.items():
        (place / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--quarter", "1", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout


def test_ray_is_on_one_worker_and_counted_over_all(output: str) -> None:
    ran = dict(re.findall(r"\[(gw\d)\] .*PASSED test_(\w+)\.py", output))
    assert set(ran) == {"gw0", "gw1"}
    worker = {name: gateway for gateway, name in re.findall(r"\[(gw\d)\] .*PASSED test_(\w+)\.py", output)}
    assert worker["one"] == worker["other"]
    assert "Ray sessions started by these tests: 2" in output
    assert all(f"1    test_{name}.py::test_it" in output for name in ("one", "other"))
    assert "s  test_plain.py::test_it" in output.partition("slowest 20 tests")[2]


def test_a_quarter_leaves_out_the_slow_tests_of_the_others_only(output: str) -> None:
    ran = set(re.findall(r"PASSED (test_slow.py::\w+\S*)", output))
    wanted = {name for name in "abcdefgh" if quarter_of(f"test_slow.py[{name}]", {}) == 1}
    assert ran == {"test_slow.py::test_quick", *(f"test_slow.py::test_it[{name}]" for name in wanted)}
    assert 0 < len(wanted) < 8


@pytest.mark.parametrize(
    ("asked", "workers"),
    [
        ({}, WORKERS),
        ({"args_source": pytest.Config.ArgsSource.ARGS}, 0),
        ({"keyword": "relay"}, 0),
        ({"markexpr": "browser"}, 0),
        ({"markexpr": ""}, 0),
    ],
    ids=["all", "a file", "names", "a marker", "any marker"],
)
def test_only_the_whole_suite_is_worth_a_second_process(asked: dict[str, Any], workers: int) -> None:
    config = SimpleNamespace(
        args_source=asked.pop("args_source", pytest.Config.ArgsSource.TESTPATHS),
        option=SimpleNamespace(**{"keyword": "", "markexpr": "not slow", **asked}),
        getini={"addopts": ["-n", "auto", "-m", "not slow"]}.__getitem__,
    )
    assert distribution.pytest_xdist_auto_num_workers(config) == workers  # type: ignore[arg-type]


def test_the_quarters_take_equally_long() -> None:
    record = recorded()
    dealt = deal(record)
    load = [sum(record[unit] for unit in record if dealt[unit] == quarter) for quarter in QUARTERS]
    assert max(load) - min(load) <= 0.02 * sum(load)


def test_what_is_recorded_is_there(repository: Path) -> None:
    files = {re.split(r"\[|::", unit)[0] for unit in recorded()}
    assert [file for file in files if "mark.slow" not in (repository / file).read_text()] == []


def test_a_new_test_moves_no_other() -> None:
    dealt = deal({"a": 9, "b": 5, "c": 4, "d": 4, "e": 1})
    assert dealt == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 3}
    assert quarter_of("b", dealt) == 2
    assert {quarter_of(f"new {number}", dealt) for number in range(40)} == set(QUARTERS)


@pytest.mark.parametrize(
    ("nodeid", "call", "recorded", "unit"),
    [
        ("f.py::test_a", None, {}, "f.py"),
        ("f.py::TestB::test_a", None, {}, "f.py"),
        ("f.py::TestB::test_a", None, {"f.py", "f.py::TestB"}, "f.py::TestB"),
        ("f.py::test_a[x]", "x", {}, "f.py[x]"),
        ("f.py::test_a[x]", "x", {"f.py"}, "f.py"),
        ("f.py::test_a[x]", "x", {"f.py", "f.py[x]"}, "f.py[x]"),
        ("f.py::test_a[x::y]", "x::y", {}, "f.py[x::y]"),
    ],
    ids=["function", "class", "recorded class", "parameter", "recorded file", "recorded parameter", "colons"],
)
def test_tests_of_a_file_stay_together_unless_a_part_is_recorded_by_itself(nodeid, call, recorded, unit) -> None:
    assert unit_of(item(nodeid, call), recorded) == unit


def test_what_was_measured_takes_the_place_of_what_was_recorded(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(distribution, "RECORD", tmp_path / "seconds.json")
    distribution.RECORD.write_text(json.dumps({"f.py": 10, "g.py": 20}))
    recorder = Recorder()
    tests = [
        item("f.py::test_a"),
        item("f.py::test_b"),
        item("f.py::test_quick", is_slow=False),
        item("h.py::test_a[x]", "x"),
    ]
    recorder.pytest_collection_finish(SimpleNamespace(items=tests))
    for test in tests:
        for duration in (2.0, 1.2):
            recorder.pytest_runtest_logreport(SimpleNamespace(nodeid=test.nodeid, duration=duration))
    recorder.pytest_sessionfinish()
    assert recorded() == {"f.py": 6, "g.py": 20, "h.py[x]": 3}

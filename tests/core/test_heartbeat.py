"""A process shows that it is alive and gets on."""

import os
from pathlib import Path

import pytest

from graft.core import heartbeat as module
from graft.core.heartbeat import FolderBoard, Heartbeat, Pulse, forget, read_heartbeats
from graft.core.process_identity import ProcessIdentity


@pytest.fixture(autouse=True)
def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say when a heartbeat is due."""
    monkeypatch.setattr(module, "PERIOD_S", 3600.0)


def only(directory: Path) -> Heartbeat:
    ((_, found),) = read_heartbeats(directory)
    return found


def test_it_is_shown_at_once_and_says_who_it_is(tmp_path: Path) -> None:
    with Pulse(FolderBoard(tmp_path), "t01"):
        found = only(tmp_path)
    assert found == Heartbeat(ProcessIdentity.here(), "t01", 1, 0, 0.0, is_working=False)


def test_steps_are_counted_and_measured_within_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 4.0, 5.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with Pulse(FolderBoard(tmp_path), "t01") as pulse:
        shown = []
        for _ in pulse.over("abc"):
            pulse.beat()
            shown.append(only(tmp_path))
        pulse.beat()
        after = only(tmp_path)
    assert [one.steps for one in shown] == [0, 1, 2]
    assert all(one.is_working for one in shown)
    assert (after.steps, after.longest_step, after.is_working) == (3, 3.0, False)


def test_an_epoch_that_breaks_off_expects_no_step_any_more(tmp_path: Path) -> None:
    with Pulse(FolderBoard(tmp_path), "t01") as pulse:
        for _ in pulse.over("abc"):
            break
        pulse.beat()
        assert not only(tmp_path).is_working


def test_whoever_prepares_the_first_step_says_so(tmp_path: Path) -> None:
    with Pulse(FolderBoard(tmp_path), "t01") as pulse:
        with pulse.starting():
            for _ in pulse.over("a"):  # features that are computed before
                pulse.beat()
                assert (only(tmp_path).is_starting, only(tmp_path).is_working) == (True, True)
            pulse.beat()
            assert (only(tmp_path).is_starting, only(tmp_path).is_working) == (True, False)
        pulse.beat()
        assert not only(tmp_path).is_starting


def test_what_is_over_shows_nothing(tmp_path: Path) -> None:
    Pulse(FolderBoard(tmp_path), "t01").close()
    assert list(read_heartbeats(tmp_path)) == []


def test_nobody_looks(tmp_path: Path) -> None:
    with Pulse(None, "t01") as pulse:
        assert list(pulse.over("ab")) == ["a", "b"]
        pulse.beat()


def test_a_directory_that_cannot_be_written_costs_the_heartbeat_only(tmp_path: Path) -> None:
    with Pulse(FolderBoard(tmp_path / "gone"), "t01") as pulse:
        assert list(pulse.over("ab")) == ["a", "b"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"process": "7"}', '{"process": 7, "trial": "t"}'])
def test_what_is_half_written_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert list(read_heartbeats(tmp_path)) == []


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    pulse = Pulse(FolderBoard(tmp_path), "t01")
    ((name, _),) = read_heartbeats(tmp_path)
    forget(tmp_path, name)
    forget(tmp_path, name)
    assert os.listdir(tmp_path) == []
    pulse.close()

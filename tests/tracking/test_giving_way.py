"""A relay gives way to trials while it keeps up, and less the further it is behind."""

import math
import os
from pathlib import Path

import pytest

from graft.tracking.giving_way import NICEST_PROCESS, GivingWay, niceness


@pytest.mark.parametrize(("lag", "level"), [(0, 19), (9.9, 19), (10, 10), (29, 10), (30, 0), (600, 0), (math.inf, 0)])
def test_the_niceness_is_bounded_by_the_lag(lag: float, level: int) -> None:
    assert niceness(lag) == level


def test_the_session_and_the_process_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    autogroup = tmp_path / "autogroup"
    priorities: list[int] = []
    monkeypatch.setattr(os, "setpriority", lambda _, __, level: priorities.append(level))
    give_way = GivingWay(autogroup)
    levels = []
    for lag in (0.0, 0.0, 15.0, 100.0, 0.0):
        give_way(lag)
        levels.append(autogroup.read_text())
    assert levels == ["19", "19", "10", "0", "19"]
    # A process without privileges can never be less nice than it was: no nicer than the trials, which Ray runs at 15.
    assert priorities == [NICEST_PROCESS, 10, 0, NICEST_PROCESS]


def test_nothing_is_given_away_before_a_lag_is_known(tmp_path: Path) -> None:
    GivingWay(tmp_path / "autogroup")
    assert not (tmp_path / "autogroup").exists()


def test_a_system_without_either_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    GivingWay(tmp_path / "no" / "autogroup")(0.0)

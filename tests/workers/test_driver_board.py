"""Heartbeats come to the driver's node from nodes that share no directory with it."""

from pathlib import Path
from typing import Any

import pytest
import ray

from graft.core.heartbeat import FolderBoard, Pulse, read_heartbeats
from graft.core.stores.home_path import MARKER
from graft.workers import driver_board
from graft.workers.driver_board import DriverBoard, board_in


def test_where_all_nodes_see_the_home_its_directory_is_the_board(tmp_path: Path) -> None:
    assert board_in(tmp_path) == FolderBoard(tmp_path)


class Method:
    """What an actor's method is to its callers."""

    def __init__(self, call: Any) -> None:
        self.remote = call


class Writer:
    """The writer as a handle shows it, in this process."""

    def __init__(self, directory: Path) -> None:
        writer = driver_board._Writer(str(directory))
        self.show, self.take_down = Method(writer.show), Method(writer.take_down)


def test_what_is_shown_elsewhere_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_board.ray, "is_initialized", lambda: True)
    board = DriverBoard(Writer(tmp_path))
    with Pulse(board, "t01"):
        ((_, shown),) = read_heartbeats(tmp_path)
        assert shown.trial == "t01"
    assert list(tmp_path.iterdir()) == []
    board.show("../elsewhere.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere.json"]


def test_without_a_ray_it_costs_the_heartbeat_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_board.ray, "is_initialized", lambda: False)
    with Pulse(DriverBoard(Writer(tmp_path)), "t01"):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.ray
def test_of_a_home_in_a_store_the_driver_shows_what_it_is_sent(tmp_path: Path, ray_session: Any) -> None:
    (tmp_path / MARKER).write_text('{"address": "s3://bucket/home"}')
    (tmp_path / "heartbeats").mkdir()
    board = board_in(tmp_path / "heartbeats")
    assert isinstance(board, DriverBoard)

    @ray.remote(num_cpus=0)
    def elsewhere(board: DriverBoard) -> None:
        board.show("t01-x.json", "{}")
        ray.get(board._writer.__ray_ready__.remote())

    ray.get(elsewhere.remote(board))
    assert [path.name for path in (tmp_path / "heartbeats").iterdir()] == ["t01-x.json"]

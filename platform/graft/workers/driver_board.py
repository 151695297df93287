"""Heartbeats of processes on nodes that share no directory with the driver: sent to it, and shown there (Ray 2.60)."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from graft.core.heartbeat import Board, FolderBoard
from graft.core.stores.home_path import copy_root


@dataclass(frozen=True)
class DriverBoard:
    """Shows heartbeats on the driver's node, from any other."""

    _writer: Any

    def show(self, name: str, text: str) -> None:
        self._tell(self._writer.show, name, text)

    def take_down(self, name: str) -> None:
        self._tell(self._writer.take_down, name)

    def _tell(self, method: Any, *arguments: str) -> None:
        """Nobody waits for an answer: whoever trains must not stand still because the driver does."""
        with contextlib.suppress(RayError, RuntimeError):
            if ray.is_initialized():
                method.remote(*arguments)


class _Writer:
    """Writes for others, on the driver's node."""

    def __init__(self, directory: str) -> None:
        self._board = FolderBoard(Path(directory))

    def show(self, name: str, text: str) -> None:
        self._board.show(Path(name).name, text)

    def take_down(self, name: str) -> None:
        self._board.take_down(Path(name).name)


def board_in(directory: Path) -> Board:
    """Where processes of this run show themselves, wherever they are, so that they are seen in a directory here.

    A home that is a directory is one for all nodes. Of a home in a store each node has a copy of its own, and a file
    of a heartbeat in it is seen by nobody else.
    """
    if copy_root(directory) is None or not ray.is_initialized():
        return FolderBoard(directory)
    here = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=False)
    writer = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(_Writer)
    return DriverBoard(writer.remote(str(directory)))

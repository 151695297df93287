"""A Ray cluster of one's own on this machine, which can lose nodes (`ray start`, Ray 2.60)."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from graft.chaos.environment.processes import MARK, Process, marked
from graft.chaos.environment.tracking_server import free_port
from graft.chaos.fault import Missed

_OBJECT_STORE = 100_000_000
_START_S = 120.0
# On the loopback interface, for a minute or two.
_OPEN = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


class OwnCluster:
    """A context manager: a head node without CPUs, and worker nodes that each claim those of the machine.

    So a trial has as many threads as on a Ray that a run starts itself, and comes to the same numbers.

    Args:
        environment: of its processes; holds the mark by which they are found.
        cpus: of each worker node.
        worker_nodes: how many.
        of_node: what is different in the environment of each node, by its number; 0 is the head.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        cpus: int,
        worker_nodes: int,
        of_node: Callable[[int], Mapping[str, str]] = lambda number: {},
    ) -> None:
        self._environment = {**environment, **_OPEN}
        self._environment.pop("RAY_ADDRESS", None)
        self._cpus, self._worker_nodes, self._of_node = cpus, worker_nodes, of_node
        # Short, and not below the runner's directory: the names of sockets are limited to a hundred characters.
        self._directory = Path(tempfile.mkdtemp(prefix="g"))
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._address = f"127.0.0.1:{free_port()}"

    @property
    def settings(self) -> Mapping[str, str]:
        """What a driver's environment needs to join it."""
        return {"RAY_ADDRESS": self._address, **_OPEN}

    def __enter__(self) -> "OwnCluster":
        port = self._address.rpartition(":")[2]
        try:
            head = ("--head", "--port", port, "--num-cpus", "0", "--include-dashboard", "false")
            self._start(*head, "--temp-dir", str(self._directory))
            for _ in range(self._worker_nodes):
                self._start("--address", self._address, "--num-cpus", str(self._cpus))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(self._nodes):
            self._kill_with_children(node.pid)
            node.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def lose_head(self) -> None:
        """Kill the head node, with everything that runs there."""
        self._kill_with_children(self._nodes[0].pid)
        self._nodes[0].wait()

    def lose_node_of(self, process: Process) -> None:
        """Kill the raylet that has started a process, and what else runs there."""
        self._kill_with_children(process.parent)

    def _start(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        command += ["--object-store-memory", str(_OBJECT_STORE)]
        # Nodes that draw the ports of their workers from one range would take each other's.
        command += ["--min-worker-port", "0", "--max-worker-port", "0", *arguments]
        log = self._directory / f"node-{len(self._nodes)}.log"
        with log.open("wb") as stream:
            environment = {**self._environment, **self._of_node(len(self._nodes))}
            node = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, start_new_session=True)
        self._nodes.append(node)
        self._await(node, log)

    def _await(self, node: subprocess.Popen[bytes], log: Path) -> None:
        """`ray start --block` says that it is up, and goes on."""
        deadline = time.monotonic() + _START_S
        while b"Ray runtime started" not in log.read_bytes():
            if node.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()[-300:]
                raise Missed(f"a node of the rehearsal's own cluster did not start: {said}")
            time.sleep(0.1)

    def _kill_with_children(self, pid: int) -> None:
        found = marked(self._environment[MARK])
        chosen, grown = {pid}, True
        while grown:
            more = {process.pid for process in found if process.parent in chosen} - chosen
            chosen, grown = chosen | more, bool(more)
        for process in found:
            if process.pid in chosen:
                process.kill()

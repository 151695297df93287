"""A Ray cluster with a token on several machines that share nothing but some paths, and a laptop that is no part of it.

The machines are network namespaces; making them needs root, and whoever may not is told so by `reason_against`.
"""

import contextlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import pytest
from tests.fixtures.clusters import GRAFT, wait_until

SCRIPT = Path(__file__).with_name("netns.sh")
HEAD, ONE, OTHER, LAPTOP = range(4)
NAMES = {HEAD: "10.77.0.10", ONE: "10.77.0.11", OTHER: "10.77.0.12", LAPTOP: "10.77.0.13"}
ADDRESS = f"http://{NAMES[HEAD]}:8265"


def reason_against() -> str:
    """Why no machines can be made here; empty if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    probe = f"gp{os.getpid()}"
    made = subprocess.run(["bash", SCRIPT, "up", "1", probe], capture_output=True, text=True, check=False)
    try:
        if made.returncode:
            return f"network namespaces cannot be made: {made.stderr.strip()[-200:]}"
        alone = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], check=False)
        return "processes cannot be set apart with unshare" if alone.returncode else ""
    finally:
        subprocess.run(["bash", SCRIPT, "down", "1", probe], capture_output=True, check=False)


@contextlib.contextmanager
def cluster(redis: str | None = None) -> Iterator["Machines"]:
    """Machines in a directory of their own; skips the test where none can be made."""
    if why := reason_against():
        pytest.skip(why)
    # Ray puts sockets below its directory, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="gm") as name, Machines(Path(name), redis) as running:
        yield running


class Machines:
    """The cluster: a context manager.

    Args:
        directory: short, for what the machines do not share; `home` in it is shared.
        redis: a Redis server, which runs on the laptop and keeps what the head knows; None keeps it in the head.

    Attributes:
        home: of graft, on all of them.
        running: the first process of each node.
    """

    def __init__(self, directory: Path, redis: str | None = None) -> None:
        self._directory, self._prefix, self._redis = directory, f"g{os.getpid()}", redis
        self.home = directory / "home"
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._keeper: subprocess.Popen[bytes] | None = None
        # Ray keeps its sockets and sessions in TMPDIR where it is set: each machine has a /tmp/ray of its own.
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TMPDIR"))}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "HOME": str(directory)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # The head counts looks that fail: by default five, which a cut of 30 s on a busy machine may come to.
        token["RAY_health_check_failure_threshold"] = "8"
        # All machines see the memory of the one that they are on, and whatever else is running there.
        token["RAY_memory_monitor_refresh_ms"] = "0"
        self._environment = {**plain, **token, "PATH": path, "GRAFT_HOME": str(self.home), "OMP_NUM_THREADS": "1"}

    def __enter__(self) -> Self:
        self._script("up", "4", self._prefix)
        try:
            if self._redis:
                self._keep_for_the_head(self._redis)
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Take all machines away."""
        for machine in [*self.running]:
            self.kill(machine)
        if self._keeper is not None:
            os.killpg(self._keeper.pid, signal.SIGKILL)
            self._keeper.wait()
        self._script("down", "4", self._prefix)

    def start(self) -> None:
        """Start Ray on all machines but the laptop that do not run, and wait until the cluster has them."""
        for machine in [one for one in (HEAD, ONE, OTHER) if one not in self.running]:
            self.running[machine] = self._start(machine)
            if machine == HEAD:
                wait_until(lambda: self.graft("jobs", "ls").returncode == 0, "the head is up")
        wait_until(lambda: len(self.nodes()) >= len(self.running), "all nodes are there")

    def end_process(self, machine: int, title: str) -> None:
        """End one process of a machine, by how its title begins; the machine itself stays."""
        mine = psutil.Process(self.running[machine].pid).children(recursive=True)
        next(one for one in mine if " ".join(one.cmdline()).startswith(title)).kill()

    def nodes(self) -> list[str]:
        """Addresses of those that the head counts on."""
        code = (
            "import json; from ray.util.state import list_nodes; "
            f"print(json.dumps([one.node_ip for one in list_nodes(address='{ADDRESS}') if one.state == 'ALIVE']))"
        )
        done = self.on_laptop(sys.executable, "-c", code)
        found: list[str] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []
        return found

    def kill(self, machine: int) -> None:
        """A power failure: nothing says goodbye."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.cut(machine)
        running = self.running.pop(machine)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        self.heal(machine)

    def cut(self, machine: int) -> None:
        """Pull its cable."""
        self._script("cut", str(machine), self._prefix)

    def heal(self, machine: int) -> None:
        """Put it back."""
        self._script("heal", str(machine), self._prefix)

    def graft(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of graft on the laptop."""
        return self.on_laptop(*GRAFT, *arguments, "--address", ADDRESS)

    def json(self, *arguments: str) -> Any:
        done = self.graft(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def on_laptop(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command on the machine that is no node."""
        whole = self._command(LAPTOP, command)
        return subprocess.run(whole, env=self._environment, capture_output=True, text=True, check=False)

    def following(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command of graft on the laptop that goes on."""
        whole = self._command(LAPTOP, [*GRAFT, *arguments, "--address", ADDRESS])
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(whole, env=self._environment, **pipes)

    def _keep_for_the_head(self, redis: str) -> None:
        serve = [redis, "--bind", NAMES[LAPTOP], "--protected-mode", "no", "--save", "", "--appendonly", "no"]
        command = self._command(LAPTOP, serve)
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._keeper = subprocess.Popen(command, start_new_session=True, **quiet)

    def _start(self, machine: int) -> "subprocess.Popen[bytes]":
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats"]
        ray += ["--node-ip-address", NAMES[machine], "--object-store-memory", "200000000"]
        if machine == HEAD:
            ray += ["--head", "--port", "6379", "--num-cpus", "0", "--dashboard-host", NAMES[HEAD]]
        else:
            ray += ["--address", f"{NAMES[HEAD]}:6379", "--num-cpus", "1", "--resources", '{"safe": 16}']
        log = (self._directory / f"{machine}.log").open("ab")
        # With --block, Ray ends all where its own client server has not come up in 30 s, as on a busy machine.
        # A raylet has 30 s to come up, whatever is said: too little where all machines start at once on two cores.
        # What it leaves then is in the way of the next try; `ray stop` sees the processes of its own machine alone.
        clear = shlex.join([*ray[:3], "stop", "--force"])
        again = f"until {shlex.join(ray)}; do {clear}; sleep 1; done; exec sleep infinity"
        whole = self._command(machine, ["bash", "-c", again])
        kept = {"RAY_REDIS_ADDRESS": f"{NAMES[LAPTOP]}:6379"} if self._redis and machine == HEAD else {}
        return subprocess.Popen(
            whole, env={**self._environment, **kept}, stdout=log, stderr=log, start_new_session=True
        )

    def _command(self, machine: int, command: Sequence[str]) -> list[str]:
        return ["bash", str(SCRIPT), "node", str(machine), self._prefix, str(self._directory), *command]

    def _script(self, *arguments: str) -> None:
        subprocess.run(["bash", SCRIPT, *arguments], check=True, capture_output=True)

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
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SCRIPT = Path(__file__).with_name("netns.sh")
READY_WITHIN_S = 300.0
HEAD, ONE, OTHER, LAPTOP = range(4)
NAMES = {HEAD: "10.77.0.10", ONE: "10.77.0.11", OTHER: "10.77.0.12"}
ADDRESS = f"http://{NAMES[HEAD]}:8265"
GRAFT = (sys.executable, "-c", "from graft.cli.main import main; main()")


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


class Machines:
    """The cluster: a context manager.

    Args:
        directory: short, for what the machines do not share; `home` in it is shared.

    Attributes:
        home: of graft, on all of them.
        running: the first process of each node.
    """

    def __init__(self, directory: Path) -> None:
        self._directory, self._prefix = directory, f"g{os.getpid()}"
        self.home = directory / "home"
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "HOME": str(directory)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # The head counts looks that fail: by default five, which a cut of 30 s on a busy machine may come to.
        token["RAY_health_check_failure_threshold"] = "8"
        self._environment = {**plain, **token, "PATH": path, "GRAFT_HOME": str(self.home), "OMP_NUM_THREADS": "1"}

    def __enter__(self) -> Self:
        self._script("up", "4", self._prefix)
        try:
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
        self._script("down", "4", self._prefix)

    def start(self, *machines: int) -> None:
        """Start Ray on machines, all but the laptop if none are named, and wait until the cluster has them."""
        for machine in machines or (HEAD, ONE, OTHER):
            self.running[machine] = self._start(machine)
            if machine == HEAD:
                wait_until(lambda: self.graft("jobs", "ls").returncode == 0, "the head is up")
        wait_until(lambda: len(self.nodes()) >= len(self.running), "all nodes are there")

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
        return subprocess.run(whole, env=self._environment, capture_output=True, text=True, timeout=1800, check=False)

    def following(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command of graft on the laptop that goes on."""
        whole = self._command(LAPTOP, [*GRAFT, *arguments, "--address", ADDRESS])
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(whole, env=self._environment, **pipes)

    def _start(self, machine: int) -> "subprocess.Popen[bytes]":
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats"]
        ray += ["--node-ip-address", NAMES[machine], "--object-store-memory", "200000000"]
        if machine == HEAD:
            ray += ["--head", "--port", "6379", "--num-cpus", "0", "--dashboard-host", NAMES[HEAD]]
        else:
            ray += ["--address", f"{NAMES[HEAD]}:6379", "--num-cpus", "1", "--resources", '{"safe": 16}']
        log = (self._directory / f"{machine}.log").open("ab")
        # With --block, Ray ends all where its own client server has not come up in 30 s, as on a busy machine.
        whole = self._command(machine, ["bash", "-c", f"{shlex.join(ray)}; exec sleep infinity"])
        return subprocess.Popen(whole, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def _command(self, machine: int, command: Sequence[str]) -> list[str]:
        return ["bash", str(SCRIPT), "node", str(machine), self._prefix, str(self._directory), *command]

    def _script(self, *arguments: str) -> None:
        subprocess.run(["bash", SCRIPT, *arguments], check=True, capture_output=True)


def wait_until(happened: Callable[[], object], what: str) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while not happened():
        assert time.monotonic() < until, f"it has not happened that {what}"
        time.sleep(1)

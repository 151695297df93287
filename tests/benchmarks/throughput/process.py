"""Runs a variant in a process and a Ray of its own."""

import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from throughput.exchange import Outcome, Request

# What a user finds who looks for the reason of Train's slow start (facts: 2 s a poll by default).
TUNED_TRAIN = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


@dataclass(frozen=True)
class Ended:
    """A process that has ended; `outcome` is None if it failed."""

    seconds: float
    load_before: float
    outcome: Outcome | None


def run_module(module: str, request: Request, minutes: float, extra: dict[str, str] | None = None) -> Ended:
    """Run ``throughput.<module>`` on a request; what it prints goes to a log, whose end is shown if it fails.

    Args:
        module: name of the variant's module.
        request: what it is to do.
        minutes: after which it is ended.
        extra: environment variables.
    """
    stem = request.work / f"{module}-{secrets.token_hex(3)}"
    asked, answered, log = (stem.with_suffix(suffix) for suffix in (".request.json", ".outcome.json", ".log"))
    request.write(asked)
    command = [sys.executable, "-m", f"throughput.{module}", str(asked), str(answered)]
    load = os.getloadavg()[0]
    started = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env=_environment() | (extra or {}), start_new_session=True
        )
        try:
            code = process.wait(minutes * 60)
        except BaseException as error:  # also Ctrl-C: nobody else would end a session of its own
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = -1
            print(f"  {module} was ended after {minutes:g} minutes", flush=True)
    seconds = time.perf_counter() - started
    if code != 0 or not answered.exists():
        print(f"  {module} ended with {code}; the end of its log:\n{_tail(log)}", flush=True)
        return Ended(seconds, load, None)
    return Ended(seconds, load, Outcome.read(answered))


def _environment() -> dict[str, str]:
    here = str(Path(__file__).resolve().parent.parent)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    # One token for this process only, else a local Ray writes one under the user's home directory.
    return environment | {
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
    }


def _tail(log: Path, lines: int = 25) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])

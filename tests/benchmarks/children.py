"""Runs a part of a benchmark in a process, and a Ray, of its own."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a user finds who looks for the reason of Train's slow start and slow reports (by default it polls every 2 s).
TUNED_TRAIN = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
}


def run_child(arguments: Sequence[str], log: Path, timeout_s: float, extra: Mapping[str, str] | None = None) -> bool:
    """Run Python with arguments; whether it ended well. What it prints goes to a log, whose end is shown if not.

    Args:
        arguments: such as ``["-m", "module", "argument"]``; modules beside this file are found.
        log: a file to write.
        timeout_s: after so long it is ended, and all it has started.
        extra: environment variables.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=stream,
            stderr=stream,
            env=_environment() | dict(extra or {}),
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except BaseException as error:  # also Ctrl-C: nobody else would end a session of its own
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = -1
            print(f"  {' '.join(arguments[:2])} was ended after {timeout_s:g} s", flush=True)
    if code:
        end = log.read_text(errors="replace").splitlines()[-25:]
        print(f"  {' '.join(arguments[:2])} ended with {code}; the end of its log:", *end, sep="\n    ", flush=True)
    return code == 0


def _environment() -> dict[str, str]:
    here = str(Path(__file__).resolve().parent)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    # One token for this process only, else a local Ray writes one under the user's home directory.
    return environment | {
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
        # Threads that spin while they wait cost more than anything that is measured here.
        "OMP_WAIT_POLICY": "PASSIVE",
    }

"""Runs a variant in a process and a Ray of its own."""

import os
import secrets
import time
from dataclasses import dataclass

from children import run_child
from throughput.exchange import Outcome, Request


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
    load, started = os.getloadavg()[0], time.perf_counter()
    is_well = run_child(["-m", f"throughput.{module}", str(asked), str(answered)], log, minutes * 60, extra)
    seconds = time.perf_counter() - started
    return Ended(seconds, load, Outcome.read(answered) if is_well and answered.exists() else None)

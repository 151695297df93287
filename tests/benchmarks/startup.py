"""How long the light commands take, as whole processes: what a user waits for after Enter.

Each command is run several times after one that only warms the disk cache. `bare python` is the interpreter alone: no
command can be faster. The target is one second for `graft --help` and `graft validate`; the median is what counts, the
maximum shows what else the machine was doing.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reporting import REPOSITORY, json_line, provenance, spread, table

EXAMPLE = """example:
  python tests/benchmarks/startup.py --runs 7
"""
GRAFT = str(Path(sys.executable).with_name("graft"))
JOB = "jobs/digits.yaml"
COMMANDS: dict[str, list[str]] = {
    "bare python": [sys.executable, "-c", "pass"],
    "import graft": [sys.executable, "-c", "import graft"],
    "graft --help": [GRAFT, "--help"],
    f"graft validate {JOB}": [GRAFT, "validate", JOB],
    f"graft plan --offline {JOB}": [GRAFT, "plan", "--offline", JOB],
}
TARGET_SECONDS = {"graft --help": 1.0, f"graft validate {JOB}": 1.0, f"graft plan --offline {JOB}": 1.0}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="runs of each command (default: 7)")
    options = parser.parse_args()
    origin = provenance()
    seconds = {name: spread(measure(command, options.runs)) for name, command in COMMANDS.items()}
    rows = [[name, *one.values(), TARGET_SECONDS.get(name)] for name, one in seconds.items()]
    print(table(["command", "min s", "median s", "max s", "target s"], rows))
    print(json_line("startup", origin, {"runs": options.runs, "seconds": seconds}))
    return 0


def measure(command: Sequence[str], runs: int) -> list[float]:
    """Wall seconds of a command, run by run.

    Raises:
        CalledProcessError: it failed, so its time means nothing.
    """
    _once(command)
    return [_once(command) for _ in range(runs)]


def _once(command: Sequence[str]) -> float:
    # A terminal's width and colours are not what is measured.
    environment = {**os.environ, "NO_COLOR": "1"}
    started = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())

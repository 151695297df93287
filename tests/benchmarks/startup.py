"""How long commands take before they have an answer, as whole processes: what a user waits for after Enter.

Each command is run several times after one that only warms the disk cache. `bare python` is the interpreter alone: no
command can be faster. The median is what counts, the maximum shows what else the machine was doing.

`--home` names one with experiments: then `graft predict` is timed on one image of random pixels, by the newest of them,
as is `graft ui`, up to the address it prints.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from reporting import REPOSITORY, json_line, provenance, spread, table

EXAMPLE = """example:
  python tests/benchmarks/startup.py --runs 7 --home .graft
"""
GRAFT = str(Path(sys.executable).with_name("graft"))
JOB = "jobs/digits.yaml"
COMMANDS: dict[str, list[str]] = {
    "bare python": [sys.executable, "-c", "pass"],
    "import graft": [sys.executable, "-c", "import graft"],
    "graft --help": [GRAFT, "--help"],
    f"graft validate {JOB}": [GRAFT, "validate", JOB],
    f"graft plan {JOB}": [GRAFT, "plan", JOB],
}
PREDICT, UI = "graft predict latest photo.png", "graft ui, to the address"
TARGET_SECONDS = {
    "graft --help": 1.0,
    f"graft validate {JOB}": 1.0,
    f"graft plan {JOB}": 2.0,
    PREDICT: 4.0,
    UI: 6.0,
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="runs of each command (default: 7)")
    parser.add_argument("--home", type=Path, help="a home whose newest experiment takes images")
    options = parser.parse_args()
    origin = provenance()
    seconds = {name: spread(measure(command, options.runs)) for name, command in COMMANDS.items()}
    if options.home:
        home = ["--home", str(options.home.absolute())]
        with tempfile.TemporaryDirectory() as scratch:
            photo = Path(scratch, "photo.png")
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(photo)
            seconds[PREDICT] = spread(measure([GRAFT, "predict", "latest", str(photo), *home], options.runs))
        shown = [GRAFT, "ui", "--no-browser", "--port", "5799", *home]
        seconds[UI] = spread([_to_the_first_line(shown) for _ in range(options.runs)])
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


def _to_the_first_line(command: Sequence[str]) -> float:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    seconds = time.perf_counter() - started
    process.send_signal(signal.SIGINT)
    process.communicate()
    if "http://" not in line:
        raise RuntimeError(f"`{' '.join(command)}` has printed `{line.strip()}`, but must print an address first")
    return seconds


if __name__ == "__main__":
    sys.exit(main())

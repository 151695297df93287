"""Requests a second that `graft serve` answers, beside `mlflow models serve`, with the same registered model.

Both are started as a user starts them, one after the other, with one process and with as many threads as the machine
has cores. Clients are threads that each send one image and wait for its answer. A request a second more of one side
says little on a busy machine; the ratio of both, taken in one run, does.
"""

import argparse
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from reporting import json_line, provenance, ratio, table
from sklearn.datasets import load_digits

EXAMPLE = """example:
  graft run jobs/digits.yaml --home HOME
  python tests/benchmarks/serving.py --home HOME --model models:/digits@champion
"""
PORT = 8641
BESIDE_PYTHON = Path(sys.executable).parent


@dataclass(frozen=True)
class Pace:
    """What so many clients at once saw."""

    clients: int
    per_second: float
    median_ms: float
    slowest_ms: float


def ours(options: argparse.Namespace) -> list[str]:
    """One replica with all cores."""
    replicas = ["--set", "max_replicas=1", "--set", f"cpus={os.cpu_count()}"]
    command = [str(BESIDE_PYTHON / "graft"), "serve", options.model, "--home", str(options.home)]
    return [*command, "--port", str(PORT), *replicas]


def theirs(options: argparse.Namespace) -> list[str]:
    """MLflow's server, in this environment."""
    command = [str(BESIDE_PYTHON / "mlflow"), "models", "serve", "-m", options.model]
    return [*command, "--port", str(PORT), "--env-manager", "local", "--workers", "1"]


@contextlib.contextmanager
def served(command: Sequence[str], home: Path) -> Iterator[float]:
    """A server that answers, as long as the context lasts; gives the seconds it took to start."""
    found = f"{BESIDE_PYTHON}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    environment = {**os.environ, "PATH": found, "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"}
    began = time.perf_counter()
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            while not _is_up():
                if process.poll() is not None:
                    raise SystemExit(f"the server ended with {process.returncode}; see {log.name}")
                time.sleep(0.2)
            yield time.perf_counter() - began
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # MLflow's server is a child of its command
            process.wait()
            while _is_up():
                time.sleep(0.2)


def pace(bodies: Sequence[bytes], clients: int, requests: int) -> Pace:
    """Have so many clients send requests as fast as they are answered."""
    taken: list[float] = []

    def ask(number: int) -> None:
        began = time.perf_counter()
        _post(bodies[number % len(bodies)])
        taken.append(1000 * (time.perf_counter() - began))

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(requests)))
    return Pace(clients, requests / (time.perf_counter() - began), statistics.median(taken), max(taken))


def bodies_of(count: int = 64) -> list[bytes]:
    """Requests of one image each: digits as PNG files."""
    bodies = []
    for pixels in load_digits().images[:count]:
        file = io.BytesIO()
        Image.fromarray((pixels * 16).clip(0, 255).astype(np.uint8)).save(file, "PNG")
        bodies.append(json.dumps({"dataframe_records": [{"image": b64encode(file.getvalue()).decode()}]}).encode())
    return bodies


def main() -> int:
    """Measure both, and print the ratio."""
    options = _parser().parse_args()
    origin, bodies = provenance(), bodies_of()
    found: dict[str, list[Pace]] = {}
    starts: dict[str, float] = {}
    for name, command in (("mlflow", theirs(options)), ("graft", ours(options))):
        with served(command, options.home) as starts[name]:
            pace(bodies, 1, 10)  # what is built at the first request is not counted
            found[name] = [pace(bodies, clients, options.requests) for clients in options.clients]
    rows = []
    for mine, other in zip(found["graft"], found["mlflow"], strict=True):
        more = ratio(other.per_second, mine.per_second)
        rows.append([mine.clients, other.per_second, mine.per_second, more, other.median_ms, mine.median_ms])
    headers = ["clients", "mlflow /s", "graft /s", "graft ÷ mlflow", "mlflow median ms", "graft median ms"]
    print(table(headers, rows))
    told = {name: [vars(one) for one in paces] for name, paces in found.items()}
    print(json_line("serving", origin, {"start_s": starts, "paces": told}))
    return 0


def _is_up() -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ping") as answer:
        return bool(answer.status == 200)
    return False


def _post(body: bytes) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/invocations", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        answer.read()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--home", type=Path, required=True, help="home in which the model is registered")
    add("--model", default="models:/digits@champion", help="default: %(default)s")
    add("--requests", type=int, default=300, help="for each number of clients (default: 300)")
    add("--clients", type=lambda text: [int(one) for one in text.split(",")], default=[1, 8, 32], help="at once")
    return parser


if __name__ == "__main__":
    sys.exit(main())

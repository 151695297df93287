"""What a home in a store costs, beside a home that is a directory: appends to a journal, and a small search.

Journal: records a second, for reports of epochs and for decisions that are waited for on the disk; and how long after
the last one a reader on another machine has all of them. Search: `graft run` on digits by turns with a home on the
disk and one in an S3 server on this machine (moto, a process of its own that takes its CPU from the same cores), each
as a process with a Ray of its own; requests that the server has answered, by kind, and for each epoch.
Run it on an idle machine, with no other Ray on it.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from reporting import json_line, provenance, table
from stores_at_hand import ENVIRONMENT, fill, s3_server

EXAMPLE = """example:
  python tests/benchmarks/store_home.py --records 5000 --trials 8 --repeats 3
"""
BUCKET = "homes"
_REQUEST = re.compile(r'"(GET|PUT|HEAD|POST|DELETE) (\S+) HTTP')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE, formatter_class=_Formatter)
    parser.add_argument("--records", type=int, default=5000, help="appended to each journal")
    parser.add_argument("--trials", type=int, default=8, help="of the search; 0 leaves it out")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory() as scratch, s3_server(Path(scratch) / "server.log") as (_, port):
        place = Path(scratch)
        os.environ |= {**ENVIRONMENT, "GRAFT_COPIES": str(place / "copies")}
        fill(port, BUCKET, {})
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        homes = {"disk": str(place / "disk"), "store": f"s3://{BUCKET}/home"}
        journals = {name: appends(home, place, given.records) for name, home in homes.items()}
        searches = searched(homes, place, given) if given.trials else {}
    report(journals, searches)
    print(json_line("store_home", origin, {"journal": journals, "search": searches}))


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


def appends(home: str, place: Path, count: int) -> dict[str, float]:
    """Records a second, and seconds until another machine has all of them."""
    from graft.core.storage import Home
    from graft.journal.events import PhaseStarted, TrialReported
    from graft.journal.journal import Journal, read

    def journal_of() -> Path:
        return Home.find(home).experiments / "appends" / "journal.jsonl"

    found: dict[str, float] = {}
    with Journal(journal_of()) as journal:
        began = time.perf_counter()
        for epoch in range(count):
            journal.append(TrialReported("t01", epoch, {"val/accuracy": 0.5, "train/loss": 0.1}, 1.0))
        found["reports_per_s"] = count / (time.perf_counter() - began)
        began = time.perf_counter()
        for phase in range(count // 10):
            journal.append(PhaseStarted(phase, "asha", "random", 3))
        found["decisions_per_s"] = count // 10 / (time.perf_counter() - began)
        began = time.perf_counter()
        journal.settle()
        copies, os.environ["GRAFT_COPIES"] = os.environ["GRAFT_COPIES"], str(place / "another")
        seen = sum(1 for _ in read(journal_of()))
        os.environ["GRAFT_COPIES"] = copies
        found["seconds_to_another"] = time.perf_counter() - began
        if seen != count + count // 10:
            raise SystemExit(f"another machine has seen {seen} of {count + count // 10} records")
    return found


def searched(homes: dict[str, str], place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Searches by turns; the median of each, and the requests of the last one in the store."""
    job = place / "job.yaml"
    job.write_text(yaml.safe_dump(job_of(given.trials, given.epochs)))
    seconds: dict[str, list[float]] = {name: [] for name in homes}
    requests: Counter[str] = Counter()
    for _ in range(given.repeats):
        for name, home in homes.items():
            answered = _answered(place)
            result = run(job, home)
            seconds[name].append(result["seconds"])
            if name == "store":
                requests = _answered(place) - answered
    epochs = given.trials * given.epochs
    told = {name: statistics.median(some) for name, some in seconds.items()}
    total = sum(requests.values())
    return {
        **told, "ratio": told["store"] / told["disk"], "requests": dict(requests), "all_requests": total,
        "requests_per_epoch": total / epochs,
    }  # fmt: skip


def job_of(trials: int, epochs: int) -> dict[str, Any]:
    """All trials are trained to their end, so that every run does the same."""
    return {
        "name": "b",
        "data": {"kind": "digits", "limit": 480},
        "strategy": {"resolution": 32, "freeze": 0.8, "lr": {"loguniform": [1.0e-3, 1.0e-1]}},
        "training": {"epochs": epochs},
        "search": {"scheduler": "none", "budget": {"trials": trials}},
        "export": {"register": False},
    }


def run(job: Path, home: str) -> dict[str, Any]:
    """The result of a run."""
    command = [str(Path(sys.executable).with_name("graft")), "run", str(job), "--home", home, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _answered(place: Path) -> Counter[str]:
    """Requests that the server has answered so far, by kind: a list of keys is told from the content of an object."""
    found: Counter[str] = Counter()
    for method, path in _REQUEST.findall((place / "server.log").read_text(errors="replace")):
        found["LIST" if "list-type=" in path else method] += 1
    return found


def report(journals: dict[str, Any], searches: dict[str, Any]) -> None:
    rows = [
        [name, round(one["reports_per_s"]), round(one["decisions_per_s"]), round(one["seconds_to_another"], 2)]
        for name, one in journals.items()
    ]
    print(table(["home", "reports/s", "decisions/s", "s until another machine has all"], rows))
    if searches:
        rows = [[name, round(searches[name], 1)] for name in ("disk", "store")]
        print(table(["home", "search s"], rows))
        print(f"store ÷ disk {searches['ratio']:.2f}; {searches['all_requests']} requests {searches['requests']}, ")
        print(f"{searches['requests_per_epoch']:.1f} for each epoch")


if __name__ == "__main__":
    main()

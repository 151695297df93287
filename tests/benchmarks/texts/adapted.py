"""graft as a user has it: `graft run JOB --json` in a process and a home of its own, then its bundle."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import graft

GRAFT = str(Path(sys.executable).with_name("graft"))


def text_job(path: Path, task: str, seed: int, minutes: float) -> dict[str, Any]:
    """A table of texts with labels, `split` says which are for the test, and minutes: all else is default."""
    return {
        "version": 1,
        "name": path.stem,
        "data": {
            **{"kind": "table", "path": str(path), "text": "text", "label": "label", "split": "split", "seed": seed},
            **({"group": "group"} if "group" in _header(path) else {}),
        },
        "task": task,
        "search": {"seed": seed, "budget": {"minutes": minutes}},
    }


def _header(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return next(csv.reader(stream), [])


def run_job(job: Mapping[str, Any], home: Path, extra: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a job, and return its JSON summary.

    Args:
        job: as a mapping.
        home: where everything is kept.
        extra: environment variables.

    Raises:
        RuntimeError: it did not end well.
    """
    home.mkdir(parents=True, exist_ok=True)
    file, log = home / "job.json.yaml", home / "run.log"
    file.write_text(json.dumps(job))
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | dict(extra or {})
    with log.open("w") as stream:
        command = [GRAFT, "run", str(file), "--json", "--home", str(home)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stream, text=True, env=environment, check=False)
    lines = done.stdout.strip().splitlines()
    summary: dict[str, Any] = json.loads(lines[-1]) if lines else {"status": "failed"}
    if summary["status"] != "completed":
        told = summary.get("error") or log.read_text()[-2000:]
        raise RuntimeError(f"graft ended with {done.returncode}: {told}")
    return summary


def adapt(job: Mapping[str, Any], samples: Sequence[Any], extra: Mapping[str, str] | None = None) -> tuple[Any, Any]:
    """Adapt in a home of its own, and predict.

    Returns:
        A table with the answers for the samples, and facts of the run.
    """
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as name:
        summary = run_job(job, Path(name), extra)
        answers = graft.load(summary["bundle"]).predict_frame(samples)
    kept = (
        "metric",
        "validation",
        "test",
        "test_interval",
        "trials",
        "budget",
        "cache",
        "speedup",
        "seconds",
        "stages",
    )
    return answers, {"strategy": summary["winner"], **{key: summary[key] for key in kept}}

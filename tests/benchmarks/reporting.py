"""What all benchmarks print: an aligned table for people, and one JSON line that says where the numbers come from.

The JSON line is the last line of a benchmark's output; `docs/benchmarks.md` keeps such lines with their date.
"""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED_VERSIONS = ("ray", "torch", "timm", "mlflow")


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under headers, numbers to the right, text to the left; None is a dash.

    Raises:
        ValueError: a row does not have one cell a header.
    """
    cells = [[_text(value) for value in row] for row in rows]
    for row in cells:
        if len(row) != len(headers):
            raise ValueError(f"a row has {len(row)} cells, but must have {len(headers)}, one a header: {row}")
    widths = [max(len(cell) for cell in column) for column in zip(headers, *cells, strict=True)]
    right = [any(_is_number(row[index]) for row in rows) for index in range(len(headers))]
    lines = [headers, ["-" * width for width in widths], *cells]
    return "\n".join(_line(line, widths, right) for line in lines)


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """How many times as long the other one took; None where one of them was not measured."""
    if ours is None or theirs is None or ours <= 0:
        return None
    return theirs / ours


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max of at least one value."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def provenance() -> dict[str, Any]:
    """When, on what and with what: date, commit, CPUs, load, versions. Take it before the measurement begins."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpus": usable_cpus(),
        "machine": platform.machine(),
        "load_average": list(os.getloadavg()),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in RECORDED_VERSIONS},
    }


def usable_cpus() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def json_line(benchmark: str, origin: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """The machine-readable result: one line of JSON, floats with four digits."""
    return json.dumps(_rounded({"benchmark": benchmark, **origin, **results}))


def _commit() -> str | None:
    """Short hash of the checkout, with a plus if it was changed; None outside of one."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return f"{head}+" if _git("status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    # A score needs its fourth digit, seconds do not.
    return f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:.2f}"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()

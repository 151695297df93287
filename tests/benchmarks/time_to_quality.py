"""How long it takes to the accuracy that a plain search of 24 full-length strategies finds: scripts ÷ graft's default.

    b  Ray Tune + Ray Train as its user guide shows it          (throughput/nested_train.py)
    c  a hand-tuned Tune function trainable, reused actors      (throughput/reused_actors.py)
    graft, empty   a job of a name and its data alone, with nothing remembered
    graft, bank    the same, with tests/assets/bank remembered, but for all tasks of the same set

All are scored on the same validation rows. The target is the best accuracy of the script, less half a point. The script
takes its seconds from handing over the list (Ray is up, the data are prepared) to the first report that reaches the
target; `whole` is until its last trial has ended, when it knows which was best. graft's seconds count from the end of
its ingest, the start of what its search needs included. `never` means that its budget ended first. The scripts train at
32 pixels, or on 64 tokens; graft's job leaves both to its defaults. Run it on an idle machine.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from reporting import json_line, provenance, ratio, table, usable_cpus
from texts.adapted import GRAFT, run_job
from throughput.candidates import candidates_for
from throughput.exchange import Request
from throughput.process import run_module
from throughput.sets import SETS, section_of

EXAMPLE = """examples:
  python tests/benchmarks/time_to_quality.py --data fashion --minutes 6          # about 25 minutes on two cores
  python tests/benchmarks/time_to_quality.py --data emoji --epochs 12 --minutes 3 --cache DIR --assets ASSETS
  python tests/benchmarks/time_to_quality.py --smoke
"""
SCRIPTS = {"b": "nested_train", "c": "reused_actors"}
MEMORIES = ("empty", "bank")
BANK = Path(__file__).parent.parent / "assets" / "bank"
BANK_FILES = ("records", "scores", "tasks")
SMOKE = {"strategies": 2, "epochs": 1, "minutes": 1.5, "scripts": ["c"], "memories": ["empty"]}
# How far below the script's best counts as the same.
SAME = 0.005

Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Way:
    """One search: its reports, and when it was over."""

    name: str
    reports: Curve
    whole: float
    test: float | None = None

    @property
    def best(self) -> float:
        """The best validation accuracy."""
        return max((value for _, value in self.reports), default=0.0)

    def reaches(self, target: float) -> float | None:
        """Seconds to the first report of at least `target`; None if there is none."""
        return min((seconds for seconds, value in self.reports if value >= target), default=None)


def comparisons(scripts: Sequence[Way], ours: Sequence[Way]) -> list[dict[str, Any]]:
    """Each search of graft beside each script: seconds of both to the script's best less half a point."""
    rows = []
    for script in scripts:
        target = script.best - SAME
        for way in ours:
            seconds, theirs = way.reaches(target), script.reaches(target)
            rows.append(
                {
                    "script": script.name,
                    "graft": way.name,
                    "target": target,
                    "script_s": theirs,
                    "script_whole_s": script.whole,
                    "graft_s": seconds,
                    "ratio": ratio(seconds, theirs),
                    "ratio_whole": ratio(seconds, script.whole),
                }
            )
    return rows


def run_script(letter: str, request: Request, minutes: float) -> Way | None:
    """One script over the whole list; None if it failed."""
    outcome = run_module(SCRIPTS[letter], request, minutes).outcome
    return outcome and Way(letter, [(at, value) for at, value in outcome.reports], outcome.search_seconds)


def run_graft(memory: str, data: Mapping[str, Any], options: argparse.Namespace, work: Path) -> Way:
    """A job of a name and data through the command, in a home that has the data set and what is remembered, and no
    features."""
    home = work / "home"
    place = work / f"memory-{memory}"
    shutil.rmtree(home / "cache" / "features", ignore_errors=True)  # what an earlier search has computed
    if memory == "bank":
        remember(place, options.data)
    job = {
        "version": 1,
        "name": f"quality-{memory}",
        "data": dict(data),
        "search": {"seed": options.seed, "budget": {"minutes": options.minutes}},
    }
    summary = run_job(job, home, {"GRAFT_MEMORY": str(place)})
    before = summary["stages"]["ingest"]
    curve = [(seconds - before, value) for seconds, value in summary["curve"]]
    return Way(f"graft, {memory}", curve, summary["seconds"] - before, summary["test"])


def remember(place: Path, without: str) -> None:
    """Fill a memory with the bank, but for the tasks of a set: its first word begins the names of all that it made."""
    origin = without.partition("_")[0]
    place.mkdir(parents=True, exist_ok=True)
    files = {name: place / f"{name}.parquet" for name in BANK_FILES}
    for name, path in files.items():
        kept = pq.read_table(BANK / f"{name}.parquet")
        pq.write_table(kept.filter(pc.invert(pc.starts_with(kept["task"], origin))), path)
    extra = [argument for name in ("scores", "tasks") for argument in (f"--{name}", str(files[name]))]
    command = [GRAFT, "memory", "import", str(files["records"]), *extra, "--memory", str(place), "--json"]
    subprocess.run(command, check=True, capture_output=True)


def main() -> int:
    """Measure, print, and return 1 if a search failed."""
    options = _parser().parse_args()
    if options.smoke:
        vars(options).update(SMOKE)
    origin = provenance()
    keep = nullcontext(options.work) if options.work else tempfile.TemporaryDirectory(prefix="graft-bench-")
    with keep as name:
        work = Path(name).absolute()
        work.mkdir(parents=True, exist_ok=True)
        scripts, ours = _measure(options, work)
    rows = comparisons(scripts, ours)
    ways = [*scripts, *ours]
    print(table(["search", "best", "whole s", "test"], [[way.name, way.best, way.whole, way.test] for way in ways]))
    print(table(list(rows[0]) if rows else [], [list(row.values()) for row in rows]))
    settings = {key: value for key, value in vars(options).items() if key not in ("work", "cache", "assets")}
    told = {"settings": settings, "comparisons": rows, "curves": {way.name: list(way.reports) for way in ways}}
    print(json_line("time_to_quality", origin, told))
    return 0 if len(scripts) == len(options.scripts) else 1


def _measure(options: argparse.Namespace, work: Path) -> tuple[list[Way], list[Way]]:
    data = section_of(options.data, options.cache or work, options.assets)
    chosen = candidates_for(data)[: options.strategies]
    request = Request(
        work=work,
        data=data,
        candidates=tuple(one.config() for one in chosen),
        names=tuple(one.name for one in chosen),
        epochs=options.epochs,
        lanes=min(options.lanes, len(chosen)),
        seed=options.seed,
        channels_last=options.b_channels_last,
    )
    if run_module("prepare", request, options.timeout).outcome is None:
        raise SystemExit("the data could not be prepared")
    ours = []
    for memory in options.memories:
        ours.append(run_graft(memory, data, options, work))
        print(f"  {ours[-1].name}: {ours[-1].best:.3f}", flush=True)
    scripts = []
    for letter in options.scripts:
        way = run_script(letter, replace(request, store="none"), options.timeout)
        if way is not None:
            scripts.append(way)
            print(f"  {way.name}: {way.best:.3f} after {way.whole:.0f} s", flush=True)
    return scripts, ours


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", choices=SETS, default="digits", help="fashion needs dataset-fashion-mnist")
    add("--cache", type=Path, help="directory of the sets that are made of files (default: a temporary one)")
    add("--assets", type=Path, default=Path("/"), help="where the packages of the pictures were unpacked (default: /)")
    add("--strategies", type=int, help="the first N of the list (default: all 24)")
    add("--epochs", type=int, default=5, help="epochs of each trial of the scripts (default: 5)")
    add("--minutes", type=float, default=5.0, help="budget of graft (default: 5)")
    add("--scripts", type=lambda text: text.split(","), default=list(SCRIPTS), help="default: b,c")
    add("--memories", type=lambda text: text.split(","), default=list(MEMORIES), help="default: empty,bank")
    add("--lanes", type=int, default=usable_cpus(), help="trials of the scripts at once (default: the CPUs)")
    add("--seed", type=int, default=0, help="of the searches (default: 0)")
    add("--b-channels-last", action="store_true", help="give b the faster memory format, which its guide does not")
    add("--timeout", type=float, default=60, help="minutes after which a script is ended (default: 60)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    add("--work", type=Path, help="keep logs and results in this directory (default: a temporary one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

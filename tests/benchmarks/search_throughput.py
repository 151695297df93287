"""How long a search takes that trains the same 24 strategies: through graft, and through two scripts of plain Ray.

The variants train the same fixed list for the same epochs on the same arrays, each in a process and a Ray of its own:
  a  graft's search stage, with journal and MLflow on            (throughput/graft_search.py)
  w  the same with the feature store that a has filled: run it after a
  n  the same without the feature store
  b  Ray Tune + Ray Train as its user guide shows it             (throughput/nested_train.py)
  c  a hand-tuned Tune function trainable with reused actors     (throughput/reused_actors.py)

How to read it. `search` is the wall time from handing over the list to the last trial's end, with Ray up; `process` is
the whole process with imports, the start of Ray and, for graft, the last records' way into MLflow. `training` is the
time inside epochs, of all trials together; `overhead s a trial` is what is left of search x lanes, by trial: the price
of orchestration. b trains in torch's default memory format, as the guide does, which alone is several times slower on
a CPU; with --b-channels-last it computes as a and c do, and the ratio compares orchestration only. Quote both.
Ratios are the other variant's time over graft's: 10 means that graft took a tenth. Accuracies are the best on the
validation rows; they differ only by the random order of the samples and the head's first weights. Run it on an idle
machine, with no other Ray on it.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from children import TUNED_TRAIN
from reporting import json_line, provenance, ratio, table, usable_cpus
from throughput.candidates import CANDIDATES, RESOLUTION, Candidate
from throughput.exchange import Outcome, Request
from throughput.process import run_module
from throughput.sets import FIXED

from graft.learner.prefix import Prefix
from graft.learner.prefix_plan import Expected, PrefixPlan
from graft.learner.probe import measure_depths

EXAMPLE = """example:
  python tests/benchmarks/search_throughput.py --strategies 3 --epochs 1 --only a,c
"""
VARIANTS = {
    "a": "graft_search",
    "w": "graft_search",
    "n": "graft_search",
    "b": "nested_train",
    "c": "reused_actors",
}
TITLES = {
    "a": "graft",
    "w": "graft, store filled",
    "n": "graft without store",
    "b": "Tune + Train guide",
    "c": "Tune, reused actors",
}
STORES = {"a": "cold", "w": "warm", "n": "none"}
# Load a CPU above which the machine counts as not idle.
BUSY = 0.5


@dataclass(frozen=True)
class Run:
    """One variant, run once; `outcome` is None if it failed."""

    variant: str
    process_seconds: float
    load_before: float
    outcome: Outcome | None


@dataclass(frozen=True)
class Figures:
    """One variant over its repeats: medians of seconds, best of accuracies; None if no run was whole."""

    variant: str
    search: float | None = None
    process: float | None = None
    training: float | None = None
    best: float | None = None
    trials: int = 0

    def overhead(self, lanes: int) -> float | None:
        """Seconds of a lane, by trial, that went into something else than epochs."""
        if self.search is None or self.training is None or not self.trials:
            return None
        return (self.search * lanes - self.training) / self.trials


def summarise(variant: str, runs: Sequence[Run]) -> Figures:
    """The figures of one variant."""
    whole = [(run, run.outcome) for run in runs if run.variant == variant and run.outcome is not None]
    if not whole:
        return Figures(variant)
    return Figures(
        variant,
        search=statistics.median(outcome.search_seconds for _, outcome in whole),
        process=statistics.median(run.process_seconds for run, _ in whole),
        training=statistics.median(outcome.training_seconds for _, outcome in whole),
        best=max((score for _, outcome in whole for score in outcome.scores.values()), default=None),
        trials=min(len(outcome.scores) for _, outcome in whole),
    )


def ratios(figures: Mapping[str, Figures]) -> dict[str, float | None]:
    """How many times as long as graft the others took; None where one is missing."""
    ours = figures.get("a", Figures("a"))
    return {
        f"{other}/a {what}": ratio(getattr(ours, what), getattr(figures[other], what))
        for other in ("w", "n", "b", "c")
        if other in figures
        for what in ("search", "process")
    }


def ceiling(chosen: Sequence[Candidate], epochs: int) -> float:
    """How many times less arithmetic the list is when each frozen prefix is computed once; blocks timed here."""
    reads = Counter(Prefix(one.backbone, RESOLUTION, int(one.config()["cut"])) for one in chosen)
    expected = tuple(Expected(prefix, count * epochs, is_kept=True) for prefix, count in reads.items())
    depths = {name: measure_depths(name, RESOLUTION) for name in {prefix.backbone for prefix in reads}}
    plan = PrefixPlan(expected, len(chosen) * epochs)
    return plan.speed_up(lambda prefix: depths[prefix.backbone].shares[prefix.cut]).ceiling


def titles(b_channels_last: bool, b_tuned: bool) -> dict[str, str]:
    """What the variants are called in the table."""
    extras = [name for name, on in (("channels_last", b_channels_last), ("tuned polls", b_tuned)) if on]
    return TITLES | {"b": " + ".join([TITLES["b"], *extras])}


def main() -> int:
    """Measure, print, and return 1 if a variant did not train the whole list."""
    options = _parser().parse_args()
    chosen = CANDIDATES[: options.strategies]
    origin = provenance()
    keep = nullcontext(options.work) if options.work else tempfile.TemporaryDirectory(prefix="graft-bench-")
    with keep as name:
        work = Path(name).absolute()
        work.mkdir(parents=True, exist_ok=True)
        request = Request(
            work=work,
            data=FIXED[options.data],
            candidates=tuple(candidate.config() for candidate in chosen),
            names=tuple(candidate.name for candidate in chosen),
            epochs=options.epochs,
            lanes=min(options.lanes, len(chosen)),
            channels_last=options.b_channels_last,
        )
        runs = _measure(request, options)
        speed_up = ceiling(chosen, request.epochs)
    figures = {variant: summarise(variant, runs) for variant in options.only}
    _print(figures, request, titles(options.b_channels_last, options.b_tuned))
    print(f"\nceiling of the arithmetic (every frozen block once, all else as without the store): {speed_up:.2f}")
    settings = {key: value for key, value in vars(options).items() if key != "work"}
    print(json_line("search_throughput", origin, {**_results(figures, runs, settings), "ceiling": speed_up}))
    return 0 if all(one.trials == len(chosen) for one in figures.values()) else 1


def _measure(request: Request, options: argparse.Namespace) -> list[Run]:
    told = f"{len(request.names)} strategies, {request.epochs} epochs, {request.lanes} lanes"
    print(f"{told}, {request.data['kind']}", flush=True)
    load = os.getloadavg()[0]
    if load > BUSY * usable_cpus():
        print(f"load average is {load:.1f}: something else is running, so the ratios are not reliable", flush=True)
    if _run("prepare", request, options).outcome is None:
        raise SystemExit("the data could not be prepared")
    runs = []
    for repeat in range(options.repeats):
        # Whoever runs first finds colder caches, so the first place goes round.
        shift = repeat % len(options.only)
        for variant in options.only[shift:] + options.only[:shift]:
            run = _run(variant, request, options)
            told = f"{run.outcome.search_seconds:.1f} s" if run.outcome else "failed"
            print(f"  {variant}  {TITLES[variant]}: {told}", flush=True)
            runs.append(run)
    return runs


def _run(variant: str, request: Request, options: argparse.Namespace) -> Run:
    extra = TUNED_TRAIN if variant == "b" and options.b_tuned else {}
    stored = replace(request, store=STORES.get(variant, "none"))
    ended = run_module(VARIANTS.get(variant, variant), stored, options.timeout, extra)
    return Run(variant, ended.seconds, ended.load_before, ended.outcome)


def _print(figures: Mapping[str, Figures], request: Request, names: Mapping[str, str]) -> None:
    rows = []
    for variant, one in figures.items():
        each = one.search / one.trials if one.search is not None and one.trials else None
        overhead = one.overhead(request.lanes)
        rows.append(
            [variant, names[variant], one.search, each, one.process, one.training, overhead, one.best, one.trials]
        )
    headers = [
        "",
        "variant",
        "search s",
        "s a trial",
        "process s",
        "training s",
        "overhead s a trial",
        "best",
        "trials",
    ]
    print(f"\n{table(headers, rows)}\n")
    print(table(["ratio", "value"], [[name, value] for name, value in ratios(figures).items()]))


def _results(figures: Mapping[str, Figures], runs: Sequence[Run], settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "settings": settings,
        "variants": {variant: asdict(one) for variant, one in figures.items()},
        "ratios": ratios(figures),
        "runs": [asdict(run) for run in runs],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--strategies",
        type=int,
        default=len(CANDIDATES),
        choices=range(1, len(CANDIDATES) + 1),
        metavar="N",
        help="the first N of the list (default: all 24)",
    )
    add("--epochs", type=int, default=5, help="epochs of each trial (default: 5)")
    add("--only", type=_variants, default=list(VARIANTS), help="variants, such as a,c (default: all)")
    add("--repeats", type=int, default=1, help="how often each variant is run; medians are shown (default: 1)")
    add("--lanes", type=int, default=usable_cpus(), help="trials at once, one CPU each (default: the CPUs)")
    add(
        "--data",
        choices=["digits", "fashion"],
        default="digits",
        help="fashion needs the package dataset-fashion-mnist",
    )
    add("--b-channels-last", action="store_true", help="give b the memory format that a and c have")
    add("--b-tuned", action="store_true", help="poll Train every 0.1 s, without preemption watcher and metrics")
    add("--timeout", type=float, default=60, help="minutes after which a variant is ended (default: 60)")
    add("--work", type=Path, help="keep logs and results in this directory (default: a temporary one)")
    return parser


def _variants(text: str) -> list[str]:
    chosen = [part.strip() for part in text.split(",")]
    if odd := [part for part in chosen if part not in VARIANTS]:
        raise argparse.ArgumentTypeError(f"is `{odd[0]}`, but must be of {', '.join(VARIANTS)}")
    return list(dict.fromkeys(chosen))


if __name__ == "__main__":
    sys.exit(main())

"""How much faster several workers on several nodes train than one: throughput of the final fit's kind of run.

One worker with one CPU and one torch thread, and two of them on two nodes of a cluster on this machine
(`ray.cluster_utils.Cluster`, gloo over the loopback), train a real backbone on noise of the size of small images.
`1 worker` and `2 workers` are images a second over the steps after a warm-up, for the same global batch, with all that
an epoch has but validation; `ratio` is the second over the first. `weak` is the ratio to one worker with a
batch as large as the part of each, where that was measured: what a worker computes is the same, then.

`apart` is the ceiling of this machine: as many processes at the same time, each in a training of its own with its part
of the batch, without any exchange, over one worker. Cores that share caches, memory or an execution unit do not give
twice the speed; what is between `ratio` and `apart` is the price of the exchange.

Ratios are taken repeat by repeat; who goes first takes turns. Medians are shown, and the range of the ratio.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from children import run_child
from reporting import json_line, provenance, spread, table
from scaling.work import Case, cases_of

EXAMPLE = """example:
  python tests/benchmarks/ddp_scaling.py --batches 128,256 --freezes 0
  python tests/benchmarks/ddp_scaling.py --smoke
"""
TARGET = 1.8

Speeds = Mapping[str, Mapping[str, Any]]
"""``one`` and ``all``: what `scaling.work.measure` found with one worker and with all, and on how many nodes."""


def summarise(cases: Sequence[Case], repeats: Sequence[Speeds], workers: int) -> list[dict[str, Any]]:
    """One entry a case: images a second, and ratios."""
    found = []
    for index, case in enumerate(cases):
        one = [repeat["one"]["together"][index] for repeat in repeats]
        ours = [repeat["all"]["together"][index] for repeat in repeats]
        apart = [repeat["all"]["apart"][index] for repeat in repeats]
        part = Case(case.batch // workers, case.freeze)
        small = [repeat["one"]["together"][cases.index(part)] for repeat in repeats] if part in cases else []
        found.append(
            {
                "batch": case.batch,
                "freeze": case.freeze,
                "one": statistics.median(one),
                "all": statistics.median(ours),
                "ratio": spread(_ratios(ours, one)),
                "apart": statistics.median(_ratios(apart, one)),
                "weak": statistics.median(_ratios(ours, small)) if small else None,
            }
        )
    return found


def rows(summary: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Lines of the table."""
    return [
        [
            one["batch"],
            one["freeze"],
            one["one"],
            one["all"],
            one["ratio"]["median"],
            f"{one['ratio']['min']:.2f} to {one['ratio']['max']:.2f}",
            one["apart"],
            one["weak"],
            one["ratio"]["median"] >= TARGET,
        ]
        for one in summary
    ]


def main() -> int:
    """Measure, print, and return 1 if a repeat is missing."""
    options = _parser().parse_args()
    if options.smoke:
        options.batches, options.freezes, options.images, options.repeats = [32], [0.75], 64, 1
    origin = provenance()
    cases = cases_of(options.batches, options.freezes)
    keep = nullcontext(options.work) if options.work else tempfile.TemporaryDirectory(prefix="graft-bench-")
    with keep as name:
        work = Path(name).absolute()
        work.mkdir(parents=True, exist_ok=True)
        repeats = _measure(cases, options, work)
    if not repeats:
        return 1
    summary = summarise(cases, repeats, options.workers)
    headers = ["batch", "freeze", "1 worker", f"{options.workers} workers", "ratio", "range", "apart", "weak", "met"]
    print(f"\n{table(headers, rows(summary))}\n")
    settings = {name: value for name, value in vars(options).items() if name != "work"}
    nodes = sorted({repeat["all"]["nodes"] for repeat in repeats})
    results = {"settings": settings, "target": TARGET, "nodes": nodes, "cases": summary, "repeats": repeats}
    print(json_line("ddp_scaling", origin, results))
    return 0 if len(repeats) == options.repeats else 1


def _measure(cases: Sequence[Case], options: argparse.Namespace, work: Path) -> list[Speeds]:
    asked, answered = work / "request.json", work / "speeds.jsonl"
    answered.unlink(missing_ok=True)
    request = {name: getattr(options, name) for name in ("images", "warm_up", "resolution", "workers", "repeats")}
    asked.write_text(json.dumps({**request, "cases": [asdict(case) for case in cases]}))
    arguments = ["-m", "scaling.two_nodes", str(asked), str(answered)]
    run_child(arguments, work / "cluster.log", options.timeout * 60, {"RAY_AUTH_MODE": "token"})
    return [json.loads(line) for line in answered.read_text().splitlines()] if answered.exists() else []


def _ratios(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    return [mine / other for mine, other in zip(ours, others, strict=True)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--batches", type=_numbers(int), default=[64, 128, 256], help="global batch sizes (default: 64,128,256)")
    add("--freezes", type=_numbers(float), default=[0.0, 0.75], help="shares that stay frozen (default: 0,0.75)")
    add("--workers", type=int, default=2, help="one on each node (default: 2)")
    add("--images", type=int, default=1280, help="images timed in each case (default: 1280)")
    add("--warm-up", type=int, default=3, help="steps before them (default: 3)")
    add("--resolution", type=int, default=32, help="pixels of a side (default: 32)")
    add("--repeats", type=int, default=3, help="how often everything is measured (default: 3)")
    add("--timeout", type=float, default=30, help="minutes after which it is ended (default: 30)")
    add("--work", type=Path, help="keep the log in this directory (default: a temporary one)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


def _numbers(kind: type) -> Any:
    def read(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"is `{text}`, but must be numbers with commas between them") from None

    return read


if __name__ == "__main__":
    sys.exit(main())

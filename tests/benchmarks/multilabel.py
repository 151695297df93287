"""Several labels a text: graft beside a logistic regression for each label on frozen features of the same network.

The texts are descriptions of Debian's packages, the labels what a package is for and works with (`text_sets.py`). Both
see the same rows. `mAP` is the mean over the labels of the average precision on the test rows, by scikit-learn for
both; the interval is of graft's minus the other's on the same rows. Outcomes are kept as in text.py.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from outcomes import Method, Outcome, outcome_of
from paired import difference, mean_average_precision
from reporting import json_line, provenance, table
from text_sets import read_set, write_set

EXAMPLE = """example:
  python tests/benchmarks/multilabel.py --cache ~/.cache/graft-texts --seeds 0,1 --only frozen
"""
METHODS = ("frozen", "graft")


def indicators(cells: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """uint8 [N, L]: which of the labels each cell has between its semicolons."""
    sets = [set(cell.split(";")) for cell in cells]
    return np.array([[name in found for name in names] for found in sets], dtype=np.uint8)


def compare(path: Path, name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Both methods on one table."""
    parts = read_set(path)
    (texts, given), (test, wanted) = parts["train"], parts["test"]
    names = sorted({label for cell in given for label in cell.split(";")})
    train_labels, test_labels = indicators(given, names), indicators(wanted, names)
    ways: dict[str, Method] = {
        "frozen": partial(_frozen, texts, train_labels, test),
        "graft": partial(_graft, path, names, seed, options, test),
    }
    outcomes = []
    for method, run in ways.items():
        kept = options.cache / "outcomes" / f"multilabel-{name}-{seed}-{method}.json"
        if method in options.only or kept.exists():
            outcomes.append(outcome_of(method, run, kept, options.again and method in options.only))
    found = {"set": name, "seed": seed, "labels": len(names), "test": len(test)}
    return {**found, **figures(outcomes, test_labels), "methods": [one.told() for one in outcomes]}


def figures(outcomes: Sequence[Outcome], labels: np.ndarray) -> dict[str, Any]:
    """Mean average precisions, and the difference if both are there."""
    by_method = {one.method: one.array for one in outcomes}
    found: dict[str, Any] = {
        "map": {method: mean_average_precision(array, labels) for method, array in by_method.items()}
    }
    if len(by_method) == len(METHODS):
        gap = difference(mean_average_precision, by_method["graft"], by_method["frozen"], labels, draws=500)
        found["difference"] = gap.text()
    return found


def main() -> int:
    """Measure what is missing, and print everything."""
    options = _parser().parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        if options.smoke:
            _make_smoke(options, Path(made))
        results = []
        for seed in options.seeds:
            path = write_set(options.set, seed, options.cache, options.train)
            results.append(compare(path, options.set, seed, options))
    headers = ["set", "seed", "method", "mAP", "s", "load", "difference (95 %)"]
    print(table(headers, [row for one in results for row in _rows(one)]))
    settings = {name: getattr(options, name) for name in ("minutes", "train")}
    print(json_line("multilabel", origin, {"settings": settings, "results": results}))
    return 0


def _rows(result: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for one in result["methods"]:
        method = one["method"]
        told = result.get("difference") if method == "graft" else None
        where = [result["set"], result["seed"], method]
        rows.append([*where, result["map"][method], one["seconds"], one["load"][0], told])
    return rows


def _frozen(texts: Sequence[str], labels: np.ndarray, test: Sequence[str]) -> Any:
    from texts.recipes import Encoder, one_by_one

    encoder = Encoder()
    return one_by_one(encoder.features(texts), labels, encoder.features(test))


def _graft(path: Path, names: Sequence[str], seed: int, options: argparse.Namespace, test: Sequence[str]) -> Any:
    from texts.adapted import adapt, text_job

    answers, facts = adapt(text_job(path, "multilabel", seed, options.minutes), test)
    return answers[[f"p({name})" for name in names]].to_numpy(dtype=float), facts


def _make_smoke(options: argparse.Namespace, cache: Path) -> None:
    from texts.toy import write_toy

    options.cache, options.set, options.train, options.seeds, options.only = cache, "toy", 60, [0], ["frozen"]
    write_toy(cache, "toy", options.train, ["a", "b;c", "c"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cache", type=Path, help="directory of the sets and of the outcomes")
    add("--set", default="debtags", help="default: debtags")
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="default: 0")
    add("--only", type=lambda text: text.split(","), default=list(METHODS), help="default: frozen,graft")
    add("--again", action="store_true", help="run them even if their outcome is there")
    add("--minutes", type=float, default=10.0, help="graft's budget (default: 10)")
    add("--train", type=int, default=2000, help="rows to train on (default: 2000)")
    add("--smoke", action="store_true", help="made-up texts, the linear model only: seconds, and no network")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A job of a name and data, with so many minutes, beside what somebody would do without a search.

    probe        frozen features, logistic regression, C by folds; pictures at the best of three sides
    recipe       one fixed fine-tuning: pictures one cycle for 12 epochs, texts 3 epochs at 5e-5
    lp_ft        the same from a fitted head, tempered (pictures alone)
    words        TF-IDF and logistic regression (texts alone)
    optuna       a search over such fine-tunings for as many minutes: Optuna's TPE with a median pruner
    syne_tune    the same by syne-tune's ASHA, a process a core (needs `pip install syne-tune`)
    readme       the job that the README writes by hand for such data, through the command
    graft        `name` and `data` alone and a budget of minutes, through the command: all else is default

All see the same rows: validation samples are drawn from the training rows by whoever needs them. Rows are drawn anew by
seed. The best of (a) probe and words, (b) recipe and lp_ft, and of the searches, is chosen by the test rows: they have
the luck of several tries, graft of one. Intervals are of differences on the same test rows (paired bootstrap), and over
seeds. Outcomes are kept in the cache directory, a file each, and only what is missing is run: --only says what.

Chosen on clip_art, fashion and deb_section; the others are only reported.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from outcomes import Method, Outcome, outcome_of
from paired import accuracy, difference
from reporting import json_line, provenance, table
from small.tables import SmallSet, write_small_set

EXAMPLE = """examples:
  python tests/benchmarks/defaults.py --cache ~/.cache/graft-defaults --assets ASSETS --sets emoji,elpv --seeds 0,1
  python tests/benchmarks/defaults.py --sets digits --train 300 --minutes 2 --only probe,graft
"""
CHOSEN_ON = ("clip_art", "fashion", "deb_section")
SETS = (*CHOSEN_ON, "emoji", "elpv", "digits", "fine_foods", "wordnet_noun")
NOT_MIRRORED = ("digits",)
SIMPLE, TUNED, SEARCHES = ("probe", "words"), ("recipe", "lp_ft"), ("optuna", "syne_tune")
TIMED = (*SEARCHES, "readme", "graft")
METHODS = (*SIMPLE, *TUNED, *TIMED)
KINDS = {"simple": SIMPLE, "tuned": TUNED, "searches": SEARCHES, "readme": ("readme",)}


def job_of(one: SmallSet, name: str, seed: int, minutes: float, by_hand: bool) -> dict[str, Any]:
    """A job of name and data, or the README's by hand."""
    data: dict[str, Any] = {"kind": "image_folder", "path": str(one.folder), "seed": seed}
    if name in NOT_MIRRORED:
        data["flip"] = "none"
    if one.kind == "text":
        columns = {"text": "text", "label": "label", "split": "split"}
        data = {"kind": "table", "path": str(one.path), "seed": seed, **columns}
    spaces: dict[str, dict[str, Any]] = {
        "image": {
            "freeze": {"choice": [0.0, 0.5, 0.75, 1.0]},
            "lr": {"loguniform": [5e-4, 6e-3]},
            "augment": {"choice": ["none", "light"]},
            "resolution": 128,
        },
        "text": {
            "freeze": {"choice": [1.0, 0.67, 0.0]},
            "lr": {"loguniform": [5e-5, 1e-3]},
            "head_lr_factor": {"choice": [10.0, 30.0]},
            "max_tokens": 64,
        },
    }
    by_hands = {"strategy": spaces[one.kind], "training": {"epochs": 8}} if by_hand else {}
    search = {"seed": seed, "budget": {"minutes": minutes, **({"trials": 12} if by_hand else {})}}
    return {"version": 1, "name": "defaults", "data": data, "task": "classification", **by_hands, "search": search}


def methods_of(one: SmallSet, name: str, seed: int, minutes: float) -> dict[str, Method]:
    """How each method is run on a set."""
    (train, labels), (test, _) = one.part("train"), one.part("test")
    ways: dict[str, Method] = {
        kind: partial(_graft, job_of(one, name, seed, minutes, kind == "readme"), test) for kind in ("readme", "graft")
    }
    flip = name not in NOT_MIRRORED
    problem = {"kind": one.kind, "train": train, "labels": labels, "seed": seed, "flip": flip}
    ways |= {kind: partial(_searched, kind, problem, test, minutes) for kind in SEARCHES}
    if one.kind == "image":
        tuned = partial(_tuned, train, labels, test, seed, flip)
        return {
            "probe": partial(_probe, train, labels, test),
            "recipe": partial(tuned, False),
            "lp_ft": partial(tuned, True),
            **ways,
        }
    return {
        "probe": partial(_frozen_texts, train, labels, test),
        "words": partial(_words, train, labels, test),
        "recipe": partial(_tuned_texts, train, labels, test, seed),
        **ways,
    }


def compare(one: SmallSet, name: str, seed: int, options: argparse.Namespace) -> list[Outcome]:
    """The methods asked for, and those whose outcomes are there."""
    found = []
    for method, run in methods_of(one, name, seed, options.minutes).items():
        budget = f"-{options.minutes:g}min" if method in TIMED else ""
        sizes = f"{options.train}-{options.test}"
        kept = options.cache / "outcomes" / f"defaults-{name}-{sizes}-{seed}-{method}{budget}.json"
        if method in options.only or kept.exists():
            found.append(outcome_of(method, run, kept, options.again and method in options.only))
    return found


def figures(outcomes: Sequence[Outcome], labels: Sequence[str]) -> dict[str, Any]:
    """Accuracies, and graft's differences to the best simple one, tuned one and search, and to the job by hand."""
    targets = np.array(labels)
    scores = {one.method: accuracy(one.array, targets) for one in outcomes}
    ours = next((one for one in outcomes if one.method == "graft"), None)
    found: dict[str, Any] = {"accuracy": scores}
    for kind, names in KINDS.items():
        others = [one for one in outcomes if one.method in names]
        if ours is not None and others:
            best = max(others, key=lambda one: scores[one.method])
            gap = difference(accuracy, ours.array, best.array, targets)
            found[kind] = {"of": best.method, "value": gap.value, "low": gap.low, "high": gap.high}
    return found


def over_seeds(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean differences of each set over its seeds, and of all sets, with intervals where there are several."""
    rows = []
    for name in dict.fromkeys(one["set"] for one in results):
        some = [one for one in results if one["set"] == name]
        for kind in (*KINDS, "both"):
            values = [value for one in some if (value := _gap(one, kind)) is not None]
            if values:
                rows.append({"set": name, "to": kind, "mean": float(np.mean(values)), "interval": _interval(values)})
    return rows


def _interval(values: list[float]) -> list[float] | None:
    if len(values) < 2:
        return None
    from augmentation import interval  # torch, which a run of one seed does without

    return interval(values)


def _gap(result: dict[str, Any], kind: str) -> float | None:
    """To the better of both for ``both``."""
    if kind != "both":
        return result[kind]["value"] if kind in result else None
    if "simple" not in result or "tuned" not in result:
        return None
    return min(float(result["simple"]["value"]), float(result["tuned"]["value"]))


def main() -> int:
    """Measure what is missing, and print everything."""
    options = _parser().parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        options.cache = options.cache or Path(made)
        results = [_result(name, seed, options) for name in options.sets for seed in options.seeds]
    headers = ["set", "seed", "method", "accuracy", "s", "load", "graft to it (95 %, paired)"]
    print(table(headers, [row for one in results for row in _rows(one)]))
    means = over_seeds(results)
    cells = [[one["set"], one["to"], one["mean"], _bounds(one["interval"])] for one in means]
    print(table(["set", "graft minus", "mean", "95 % over seeds"], cells))
    settings = {name: getattr(options, name) for name in ("minutes", "train", "test")}
    print(json_line("defaults", origin, {"settings": settings, "results": results, "means": means}))
    return 0


def _result(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    one = write_small_set(name, seed, options.cache, options.assets, (options.train, options.test))
    outcomes = compare(one, name, seed, options)
    found = figures(outcomes, one.part("test")[1])
    return {"set": name, "seed": seed, **found, "methods": [outcome.told() for outcome in outcomes]}


def _rows(result: dict[str, Any]) -> list[list[Any]]:
    gaps = {result[kind]["of"]: result[kind] for kind in KINDS if kind in result}
    rows = []
    for one in result["methods"]:
        gap = gaps.get(one["method"])
        told = f"{gap['value']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})" if gap else None
        score = result["accuracy"][one["method"]]
        rows.append([result["set"], result["seed"], one["method"], score, one["seconds"], one["load"][0], told])
    return rows


def _bounds(found: Sequence[float] | None) -> str | None:
    return None if found is None else f"{found[0]:+.3f} to {found[1]:+.3f}"


def _probe(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Any:
    from small.recipes import probe

    return probe(train, labels, test)


def _tuned(
    train: Sequence[str], labels: Sequence[str], test: Sequence[str], seed: int, flip: bool, from_probe: bool
) -> Any:
    from small.recipes import Tuning, fine_tune

    return fine_tune(train, labels, test, seed, Tuning(flip=flip, from_probe=from_probe))


def _words(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Any:
    from texts.recipes import counted_words

    return counted_words(train, labels, test)


def _frozen_texts(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Any:
    from texts.recipes import Encoder, on_features

    encoder = Encoder()
    return on_features(encoder.features(train), labels, encoder.features(test))


def _tuned_texts(train: Sequence[str], labels: Sequence[str], test: Sequence[str], seed: int) -> Any:
    from texts.recipes import fine_tune

    return fine_tune(train, labels, test, seed)


def _searched(method: str, problem: dict[str, Any], test: Sequence[str], minutes: float) -> Any:
    from searches.trials import Problem

    search = importlib.import_module(f"searches.by_{method}").search
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as home:
        return search(Problem(**problem), test, minutes, Path(home))


def _graft(job: dict[str, Any], test: Sequence[str]) -> Any:
    from texts.adapted import adapt

    answers, facts = adapt(job, test)
    return answers["label"].to_numpy(dtype=str), facts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    listed: Callable[[str], list[str]] = lambda text: text.split(",")  # noqa: E731 - a type for argparse
    add("--cache", type=Path, help="directory of the sets and of the outcomes")
    add("--assets", type=Path, default=Path("/"), help="where the packages of the pictures were unpacked (default: /)")
    add("--sets", type=listed, default=list(SETS), help=f"default: {','.join(SETS)}")
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="default: 0")
    add("--only", type=listed, default=list(METHODS), help=f"methods to run (default: {','.join(METHODS)})")
    add("--again", action="store_true", help="run them even if their outcome is there")
    add("--minutes", type=float, default=5.0, help="budget of graft, of searches and of the README's job (default: 5)")
    add("--train", type=int, default=500, help="most rows to train and validate on (default: 500)")
    add("--test", type=int, default=1000, help="most rows to test on (default: 1000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

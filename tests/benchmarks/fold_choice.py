"""Heads that are solved, chosen by a fifth of the rows or by repeated folds of all: which choice is better, and which
score is true.

Twelve heads, or as many as there are sizes, depths and kinds, on `--train` rows. `fifth`: each is fitted to four fifths
of them, the best on the last fifth is fitted to all. `folds`: each is scored by `--folds` folds, `--repeats` times, and
the best is fitted to all. Both are tested on the same rows. `luck` is what the score of the chosen head promised beyond
its test; `gain` the mean difference of both choices over splits, with its standard error. One process, one thread, no
Ray.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from closed_form import KEEPS, Features, features_of
from reporting import json_line, provenance, table
from small_sets import SETS

EXAMPLE = """example:
  python tests/benchmarks/fold_choice.py --sets clip_art,fashion,deb_section --root usr/share --cache ~/.cache/graft
"""
HEADS, MOST_TEST = ("logistic", "ridge"), 1500


def texts(cache: Path, most: int) -> tuple[Features, np.ndarray]:
    """Features of descriptions of packages by their sections, at two lengths."""
    from text_sets import SETS as TEXTS
    from texts.recipes import Encoder

    rows = TEXTS["deb_section"](cache)
    some = [rows[int(place)] for place in np.random.default_rng(0).permutation(len(rows))[:most]]
    names = sorted({one.label for one in some})
    codes = np.array([names.index(one.label) for one in some], dtype=np.int64)
    told = [one.text for one in some]
    return {(0, 1.0): np.asarray(Encoder().features(told))}, codes


def right(features: np.ndarray, codes: np.ndarray, rows: np.ndarray, test: np.ndarray, head: str) -> np.ndarray:
    """Whether each of the rows to test is answered rightly by a head that is fitted to others."""
    import torch

    from graft.spec.registry import call, members
    from graft.transfer.closed_form.problem import Fitting, LinearTargets

    spec: Any = members("head")[head].model_validate({})
    targets = LinearTargets("softmax", codes[rows], int(codes.max()) + 1, codes[rows])
    state = call(spec, spec, Fitting(torch.from_numpy(features[rows]), targets), target=spec.solved_by).state
    told = (torch.from_numpy(features[test]) @ state["1.weight"].T + state["1.bias"]).argmax(dim=1).numpy()
    return np.asarray(told == codes[test])


def measure(features: Features, codes: np.ndarray, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Both choices on one split."""
    from graft.data.splits.folds import fold_codes

    order = np.random.default_rng(seed).permutation(len(codes))
    rows, test = order[: options.train], order[options.train : options.train + MOST_TEST]
    held, kept = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    ways = [(place, head) for place in features for head in HEADS]
    begun = time.process_time()
    by_fifth = [float(right(features[place], codes, kept, held, head).mean()) for place, head in ways]
    between = time.process_time()
    dealt = fold_codes(codes[rows], None, options.folds, options.repeats, seed)
    by_folds = [_folded(features[place], codes, rows, dealt, head) for place, head in ways]
    done = time.process_time()
    tested = [float(right(features[place], codes, rows, test, head).mean()) for place, head in ways]
    fifth, folds = int(np.argmax(by_fifth)), int(np.argmax(by_folds))
    return {
        "fifth": tested[fifth],
        "folds": tested[folds],
        "best": max(tested),
        "luck of fifth": by_fifth[fifth] - tested[fifth],
        "luck of folds": by_folds[folds] - tested[folds],
        "s fifth": between - begun,
        "s folds": done - between,
    }


def _folded(features: np.ndarray, codes: np.ndarray, rows: np.ndarray, dealt: Sequence[np.ndarray], head: str) -> float:
    found = [
        right(features, codes, rows[one != fold], rows[one == fold], head).mean()
        for one in dealt
        for fold in range(int(one.max()) + 1)
    ]
    return float(np.mean(found))


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All splits of a set."""
    if name == "deb_section":
        features, codes = texts(options.cache, options.train + MOST_TEST)
    else:
        pixels, codes = SETS[name](options.root, 8 if name == "digits" else max(options.sizes))
        most = 160 if options.smoke else options.train + MOST_TEST
        some = np.random.default_rng(0).permutation(len(codes))[:most]
        images, codes = np.repeat(pixels[some], 4 - pixels.shape[3], axis=3)[..., :3], codes[some]
        features = {(side, keep): features_of(images, side, keep) for side in options.sizes for keep in KEEPS}
    splits = [measure(features, codes, seed, options) for seed in range(options.splits)]
    gains = [one["folds"] - one["fifth"] for one in splits]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    means = {key: statistics.mean(one[key] for one in splits) for key in splits[0]}
    return {"set": name, **means, "gain": statistics.mean(gains), "error": error}


def main() -> int:
    """Measure, and print."""
    import torch

    options = _parser().parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.sizes, options.train, options.splits = [32], 60, 2
    found = [run(name, options) for name in options.sets]
    keys = [key for key in found[0] if key != "set"]
    print(table(["set", *keys], [[one["set"], *(f"{one[key]:.3f}" for key in keys)] for one in found]))
    settings = {name: getattr(options, name) for name in ("train", "splits", "sizes", "folds", "repeats")}
    print(json_line("fold_choice", provenance(), {**settings, "sets": found}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", type=lambda text: text.split(","), default=["digits"], help=f"of {', '.join(SETS)}, deb_section")
    add("--root", type=Path, default=Path("/usr/share"), help="where the packages of the pictures are unpacked")
    add("--cache", type=Path, default=Path(), help="directory of the texts")
    add("--sizes", type=lambda text: [int(one) for one in text.split(",")], default=[64, 96, 128], help="pixels a side")
    add("--train", type=int, default=500, help="rows to train and validate on (default: 500)")
    add("--splits", type=int, default=10, help="how many (default: 10)")
    add("--folds", type=int, default=5, help="default: 5")
    add("--repeats", type=int, default=2, help="default: 2")
    add("--smoke", action="store_true", help="seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())

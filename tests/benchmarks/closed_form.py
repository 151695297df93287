"""Heads that are solved before anything is trained, against scikit-learn's logistic regression on the same network.

Ours is what a default search begins with: `logistic` and `ridge` at three sizes and two depths, the best by a fifth of
the training rows, solved again on all of them. Theirs is the last block's features, standardised, with
`LogisticRegression` (C of 1e-4 to 1 by 3 folds) at the best of the three sizes by the same folds. Both are tested on
the same rows; `gain` is the mean difference over splits, `error` its standard error. `features s`, `heads s` and
`their s` are processor seconds. One process, one thread, no Ray.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from reporting import json_line, provenance, table
from small_sets import SETS

EXAMPLE = """example:
  python tests/benchmarks/closed_form.py --sets emoji,clip_art --sizes 96,128,160 --root usr/share
"""
KEEPS, BACKBONE, BATCH, MOST_TEST = (1.0, 0.7), "efficientnet_lite0", 64, 2000
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
Features = Mapping[tuple[int, float], np.ndarray]


def features_of(images: np.ndarray, side: int, keep: float) -> np.ndarray:
    """Pooled features of images at a size and a depth."""
    import torch
    from torch.nn import functional

    from graft.models.load import load_backbone
    from graft.models.structure.edited import edited
    from graft.spec.components.structure import Structure

    loaded = load_backbone(BACKBONE, side)
    backbone = edited(loaded.backbone, Structure(keep=keep), loaded.info.architecture).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            some = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2).float()
            some = functional.interpolate(some, size=(side, side), mode="bicubic", antialias=True).clamp(0, 255)
            found.append(backbone((some / 255 - 0.5) / 0.5).numpy())
    return np.concatenate(found)


def measure(features: Features, codes: np.ndarray, train: int, seed: int) -> dict[str, float]:
    """Test accuracies of one split, and processor seconds of the heads."""
    order = np.random.default_rng(seed).permutation(len(codes))
    rows, test = order[:train], order[train : train + MOST_TEST]
    begun = time.process_time()
    by_head = {head: _ours(features, codes, rows, test, (head,)) for head in ("logistic", "ridge", "prototype")}
    both = time.process_time()
    ours = _ours(features, codes, rows, test, ("logistic", "ridge"))
    done = time.process_time()
    theirs = _theirs(features, codes, rows, test)
    return {
        "ours": ours,
        "theirs": theirs,
        **by_head,
        "heads s": done - both,
        "their s": time.process_time() - done,
        "single s": both - begun,
    }


def _ours(features: Features, codes: np.ndarray, rows: np.ndarray, test: np.ndarray, heads: tuple[str, ...]) -> float:
    held, kept = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    scored = {
        (place, head): _accuracy(features[place], codes, kept, held, head) for place in features for head in heads
    }
    place, head = max(scored, key=scored.__getitem__)
    return _accuracy(features[place], codes, rows, test, head)


def _accuracy(features: np.ndarray, codes: np.ndarray, rows: np.ndarray, test: np.ndarray, head: str) -> float:
    import torch
    from torch.nn import functional

    from graft.spec.registry import call, members
    from graft.transfer.closed_form.problem import Fitting, LinearTargets

    spec: Any = members("head")[head].model_validate({})
    targets = LinearTargets("softmax", codes[rows], int(codes.max()) + 1, codes[rows])
    state = call(spec, spec, Fitting(torch.from_numpy(features[rows]), targets), target=spec.solved_by).state
    new = torch.from_numpy(features[test])
    if "0.mean" in state:
        new = functional.normalize(new - state["0.mean"], dim=1)
    told = (new @ state["1.weight"].T + state["1.bias"]).argmax(dim=1).numpy()
    return float((told == codes[test]).mean())


def _theirs(features: Features, codes: np.ndarray, rows: np.ndarray, test: np.ndarray) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    best, score = -1.0, 0.0
    for (_, keep), one in features.items():
        if keep == 1.0:
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
            search = GridSearchCV(model, {"logisticregression__C": STRENGTHS}, cv=3).fit(one[rows], codes[rows])
            if search.best_score_ > best:
                best, score = search.best_score_, float(search.score(one[test], codes[test]))
    return score


def run(name: str, images: np.ndarray, codes: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    """All splits of a set."""
    begun = time.process_time()
    features = {(side, keep): features_of(images, side, keep) for side in options.sizes for keep in KEEPS}
    seconds = time.process_time() - begun
    splits = [measure(features, codes, options.train, seed) for seed in range(options.splits)]
    gains = [one["ours"] - one["theirs"] for one in splits]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    means = {key: statistics.mean(one[key] for one in splits) for key in splits[0]}
    return {"set": name, "features s": seconds, **means, "gain": statistics.mean(gains), "error": error}


def main() -> int:
    import torch

    options = _parser().parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.sizes, options.train, options.splits = [32], 60, 2
    found = [run(name, *_set(name, options), options) for name in options.sets]
    keys = ("ours", "theirs", "gain", "error", "logistic", "ridge", "prototype", "features s", "heads s", "their s")
    rows = [[one["set"], *(f"{one[key]:.3f}" for key in keys)] for one in found]
    print(table(["set", *keys], rows))
    results = {"train": options.train, "splits": options.splits, "sizes": options.sizes, "sets": found}
    print(json_line("closed_form", provenance(), results))
    return 0


def _set(name: str, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    images, codes = SETS[name](options.root, 8 if name == "digits" else max(options.sizes))
    most = 160 if options.smoke else len(images)
    return np.repeat(images[:most], 4 - images.shape[3], axis=3)[..., :3], codes[:most]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", type=lambda text: text.split(","), default=["digits"], help=f"of {', '.join(SETS)} (default: digits)")
    add("--root", type=Path, default=Path("/usr/share"), help="where the packages of the sets are unpacked")
    add("--sizes", type=lambda text: [int(one) for one in text.split(",")], default=[32, 64, 96], help="pixels a side")
    add("--train", type=int, default=450, help="training rows (default: 450)")
    add("--splits", type=int, default=5, help="how many (default: 5)")
    add("--smoke", action="store_true", help="seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""How much each family of strategies makes of 5, 15, 50 and 100 % of a small pool of training pictures.

A family is a few strategies that differ in one number; of these the one that is best on the validation rows (a quarter
of the share) is tested. All have the same number of steps, batch, resolution and schedule, and the same rows by seed.
Beside its accuracy stands the difference to the plain fine-tune on the same rows, with an interval over seeds.

Every training is a line of `--results`: what is there is not trained again. One process, one thread, no Ray; start it
once for each set to use more cores.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from augmentation import interval
from reporting import json_line, provenance, table
from small_sets import SETS, Pictures

from graft.data.dataset import DatasetArrays, Split
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages
from graft.spec.modalities.image import ImageFolderData
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.lookup import metric_named
from graft.transfer.reinitialise import reinitialise

EXAMPLE = """examples:
  python tests/benchmarks/small_data.py --sets emoji --seeds 5 --results small_emoji.jsonl
  python tests/benchmarks/small_data.py --sets emoji --only full,l2_sp --seeds 2 --shares 0.05,0.15
"""
SHARES = (0.05, 0.15, 0.5, 1.0)
UNUSED = np.uint8(Split.VALIDATION + 10)
BASIS: dict[str, Any] = {
    "lr": 1e-3,
    "batch_size": 16,
    "schedule": "one_cycle",
    "clip_norm": 1.0,
    "loss": {"kind": "cross_entropy", "label_smoothing": 0.1},
    "precision": "fp32",
}
FAMILIES: dict[str, list[dict[str, Any]]] = {
    "scratch": [{"init": {"kind": "reinitialise", "blocks": 100}, "lr": lr} for lr in (1e-3, 4e-3)],
    "probe": [{"freeze": 1.0, "lr": lr} for lr in (3e-3, 1e-2)],
    "full": [{"lr": lr} for lr in (5e-4, 2e-3)],
    "half": [{"freeze": 0.5, "lr": lr} for lr in (1e-3, 4e-3)],
    "reinit": [{"init": {"kind": "reinitialise", "blocks": blocks}} for blocks in (1, 3)],
    "l2_sp": [{"penalty": {"kind": "l2_sp", "strength": one}} for one in (0.01, 0.1)],
    "l1_sp": [{"penalty": {"kind": "l1_sp", "strength": one}} for one in (1e-5, 1e-4)],
    "delta": [{"penalty": {"kind": "delta", "strength": one}} for one in (0.003, 0.03)],
    "bss": [{"penalty": {"kind": "bss", "strength": one}} for one in (0.001, 0.01)],
    "co_tuning": [{"penalty": {"kind": "co_tuning", "strength": one}} for one in (0.3, 1.0)],
    "ema": [{"ema": one} for one in (0.9, 0.98)],
    "sam": [{"sam": one} for one in (0.02, 0.05)],
}
LATER: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "lp_ft": ("unfreeze", [{"unfreeze": "head_first", "lr": lr} for lr in (5e-4, 2e-3)]),
    "lora": ("tune", [{"tune": "lora", "lr": lr} for lr in (1e-3, 4e-3)]),
}
"""Families that another field of a strategy makes: they are there if it is."""


def families() -> dict[str, list[dict[str, Any]]]:
    """Name -> what each of its strategies changes of the basis."""
    there = {name: changes for name, (field, changes) in LATER.items() if field in Strategy.model_fields}
    return FAMILIES | there


def training_data(pictures: Pictures, share: float, seed: int, options: argparse.Namespace) -> TrainingData:
    """A share of the pool, of which a quarter validates, and the test rows; drawn by the seed, two of each label."""
    images, labels = pictures
    order = np.random.default_rng(seed).permutation(len(labels))
    test, pool = order[: options.test_rows], order[options.test_rows :][: options.pool]
    first = np.concatenate([pool[labels[pool] == one][:2] for one in np.unique(labels)])
    rest = pool[~np.isin(pool, first)][: max(0, round(share * len(pool)) - len(first))]
    splits = np.full(len(labels), UNUSED, dtype=np.uint8)
    splits[test] = Split.TEST
    splits[first[::2]], splits[first[1::2]] = Split.TRAIN, Split.VALIDATION
    splits[rest] = np.where(np.arange(len(rest)) % 4 == 0, Split.VALIDATION, Split.TRAIN)
    names = tuple(map(str, np.unique(labels)))
    arrays = DatasetArrays({PIXELS: images}, labels, splits, names, {"num_outputs": len(names)})
    steps = math.ceil(np.sum(splits == Split.TRAIN) / BASIS["batch_size"])
    epochs = max(1, round(options.steps / steps))
    storage = StoredImages(options.side, images.shape[3]).spec()  # type: ignore[arg-type]
    data = ImageFolderData(path=Path("/pictures"))
    metric = metric_named("accuracy", "classification")
    return TrainingData(arrays, storage, data, Classification(), metric, epochs, None, seed=seed, num_threads=1)


def trained(given: TrainingData, family: str, changes: dict[str, Any], side: int) -> dict[str, float]:
    """Accuracy of the last epoch on validation and test rows, and what it took."""
    strategy = Strategy.model_validate({**BASIS, "resolution": side, **changes})
    learner = build_learner(given, strategy, (Split.TRAIN,))
    if family == "scratch":  # nothing of it was pretrained, then
        reinitialise([learner.session.model.network.backbone.stem], given.seed, "stem")
    began = time.process_time()
    outcome = learner.train(None, validate=False)
    seconds = time.process_time() - began
    if outcome.status.value != "completed":
        return {"validation": 0.0, "test": 0.0, "cpu_s": seconds}
    judged = {"validation": Split.VALIDATION, "test": Split.TEST}
    return {**{name: _accuracy(learner, split) for name, split in judged.items()}, "cpu_s": round(seconds, 2)}


def _accuracy(learner: SupervisedLearner, split: Split) -> float:
    arrays = learner.data.arrays
    splits = np.where(arrays.splits == split, np.uint8(Split.VALIDATION), UNUSED)
    judged = replace(learner, data=replace(learner.data, arrays=replace(arrays, splits=splits)), folds=None)
    return round(judged.validation()["accuracy"], 4)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each training; those of the file of results are not done again."""
    found = _stored(options.results)
    done = {_key(row) for row in found}
    for name in options.sets:
        pictures = SETS[name](options.root, options.side)
        for wanted in _wanted(name, options):
            if _key(wanted) in done:
                continue
            given = training_data(pictures, wanted["share"], wanted["seed"], options)
            changes = families()[wanted["family"]][wanted["place"]]
            row = {**wanted, "rows": int(np.sum(given.arrays.splits == Split.TRAIN)), "changes": changes}
            row |= trained(given, wanted["family"], changes, options.side)
            found.append(row)
            if options.results is not None:
                with options.results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    return [row for row in found if row["set"] in options.sets]


def _wanted(name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Seeds last, so that a run that is cut off has told something of everything."""
    size = {"side": options.side, "steps": options.steps, "pool": options.pool}
    for seed in range(options.seeds):
        for share in options.shares:
            for family in options.only or families():
                for place in range(len(families()[family]) if options.candidates is None else options.candidates):
                    yield {"set": name, "share": share, "seed": seed, "family": family, "place": place, **size}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("set", "share", "seed", "family", "place", "side", "steps", "pool"))


def _stored(path: Path | None) -> list[dict[str, Any]]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(found: list[dict[str, Any]]) -> list[list[str]]:
    """A line for each set, share and family: accuracy, and its difference to the plain fine-tune, over seeds."""
    chosen: dict[tuple[str, float, str], dict[int, dict[str, Any]]] = {}
    for row in found:
        of_seed = chosen.setdefault((row["set"], row["share"], row["family"]), {})
        best = of_seed.get(row["seed"])
        if best is None or row["validation"] > best["validation"]:
            of_seed[row["seed"]] = row
    lines = []
    for (name, share, family), by_seed in sorted(chosen.items(), key=lambda one: one[0][:2]):
        tests = [row["test"] for row in by_seed.values()]
        plain = chosen.get((name, share, "full"), {})
        differences = [row["test"] - plain[seed]["test"] for seed, row in by_seed.items() if seed in plain]
        rows = next(iter(by_seed.values()))["rows"]
        seconds = np.mean([row["cpu_s"] for row in by_seed.values()])
        lines.append([name, f"{share:.0%} ({rows})", family, *_with_interval(tests), *_with_interval(differences, "+")])
        lines[-1].append(f"{seconds:.1f}")
    return lines


def _with_interval(values: list[float], sign: str = "") -> tuple[str, str]:
    bounds = interval(values) if values else None
    middle = f"{np.mean(values):{sign}.3f}" if values else ""
    return middle, f"{bounds[0]:{sign}.3f} to {bounds[1]:{sign}.3f}" if bounds else ""


def main() -> int:
    """Measure, and print."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    origin, found = provenance(), measure(options)
    titles = ["set", "share (rows)", "family", "test", "interval", "to full", "interval", "cpu s"]
    print(table(titles, told(found)))
    print(json_line("small_data", origin, {"rows": found}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", type=lambda text: text.split(","), default=["emoji", "clip_art", "fashion"], help=", ".join(SETS))
    add("--only", type=lambda text: text.split(","), help=f"families: {', '.join([*FAMILIES, *LATER])}")
    add("--shares", type=lambda text: [float(one) for one in text.split(",")], default=list(SHARES))
    add("--seeds", type=int, default=5)
    add("--steps", type=int, default=100, help="of every training (default: 100)")
    add("--side", type=int, default=64, help="pixels (default: 64)")
    add("--pool", type=int, default=800, help="pictures of 100 %% (default: 800)")
    add("--test-rows", type=int, default=400, help="(default: 400)")
    add("--candidates", type=int, help="strategies of a family (default: all)")
    add("--root", type=Path, default=Path("/usr/share"), help="where Debian's packages were unpacked")
    add("--results", type=Path, help="JSON lines, a training each; read first, so that a run goes on where it was")
    return parser


if __name__ == "__main__":
    sys.exit(main())

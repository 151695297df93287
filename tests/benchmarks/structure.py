"""Accuracy against operations of a backbone that is cut, and of which residual blocks are left out: the front, and
whether a search finds it.

Every structure of a grid (each depth, with none, half or all residual blocks left out) is a trial of graft: a ridge
head in closed form on the pooled features of the frozen blocks. The front holds those that no other beats in both
accuracy and operations, judged on validation rows; what it gives on test rows is told. Then graft's searchers draw from
the same space, with the measured values instead of trials, many times: how much of the area under the front have they
found after some trials? Structures that were measured are lines of `--results`, and are not measured again. One
process, one thread, no Ray.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import json_line, provenance, table
from small_sets import SETS, Pictures

from graft.data.dataset import DatasetArrays, Split
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages
from graft.models.load import describe_backbone
from graft.models.structure.edited import depth_of, edit_of
from graft.search.proposer import SearchProposer
from graft.search.protocol import Observation
from graft.search.searchers.build import build_searcher
from graft.spec.components.skip import Depth
from graft.spec.modalities.image import ImageFolderData
from graft.spec.registry import members
from graft.spec.search.phases import Phase
from graft.spec.search.schedulers import NoScheduler
from graft.spec.space.enumeration import strategies_in
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.lookup import metric_named

EXAMPLE = """examples:
  python tests/benchmarks/structure.py --sets emoji,clip_art,fashion --results all.jsonl --picture docs/structure.png
  python tests/benchmarks/structure.py --sets digits --side 32 --depths 4
"""
SKIPS: list[Any] = ["none", {"kind": "spread", "share": 0.5}, {"kind": "spread", "share": 1.0}]
SEARCHERS = ("random", "sobol", "tpe")
METRIC = metric_named("accuracy", "classification")
Row = dict[str, Any]


def space_of(backbone: str, side: int, depths: int | None) -> StrategySpace:
    """Every depth, or some evenly spread, with each of the skips; nothing but the head is fitted."""
    total = describe_backbone(backbone).num_blocks
    places = range(1, total + 1) if depths is None else np.linspace(1, total, depths).round().astype(int).tolist()
    keep = {"choice": [place / total for place in places]}
    basis = {"backbone": backbone, "freeze": 1.0, "head": "ridge", "resolution": side, "precision": "fp32"}
    return StrategySpace.parse({**basis, "structure": {"keep": keep, "skip": {"choice": SKIPS}}})


def data_of(pictures: Pictures, seed: int, side: int) -> TrainingData:
    """Three fifths to fit heads, a fifth to judge them, a fifth to test; drawn by the seed."""
    images, labels = pictures
    drawn = np.random.default_rng(seed).permutation(len(labels))
    splits = np.empty(len(labels), dtype=np.uint8)
    thirds = np.split(drawn, [round(0.6 * len(labels)), round(0.8 * len(labels))])
    for split, rows in zip((Split.TRAIN, Split.VALIDATION, Split.TEST), thirds, strict=True):
        splits[rows] = split
    names = tuple(map(str, np.unique(labels)))
    arrays = DatasetArrays({PIXELS: images}, labels, splits, names, {"num_outputs": len(names)})
    storage = StoredImages(side, images.shape[3]).spec()  # type: ignore[arg-type]
    data = ImageFolderData(path=Path("/pictures"))
    return TrainingData(arrays, storage, data, Classification(), METRIC, 1, None, seed=seed, num_threads=1)


def measured(data: TrainingData, strategy: Strategy) -> Row:
    """Accuracy on validation and test rows, parameters and multiply-adds, and what it took."""
    began = time.process_time()
    learner = build_learner(data, strategy, (Split.TRAIN,))
    outcome = learner.train(None, validate=True)
    splits = data.arrays.splits
    on_test = np.where(splits == Split.TEST, np.uint8(Split.VALIDATION), np.where(splits == Split.TRAIN, splits, 99))
    judged = replace(learner, data=replace(data, arrays=replace(data.arrays, splits=on_test.astype(np.uint8))))
    edit = edit_of(describe_backbone(strategy.backbone).architecture, strategy.structure, data.modality.size(strategy))
    return {
        "validation": round(outcome.best_metrics["val/accuracy"], 4),
        "test": round(judged.validation()["accuracy"], 4),
        "params": edit.after.params,
        "multiply_adds": edit.after.multiply_adds,
        "cpu_s": round(time.process_time() - began, 2),
    }


def exhaustive(options: argparse.Namespace, space: StrategySpace, depth: Depth) -> list[Row]:
    """A row for each set, seed and structure that differs."""
    found = _stored(options.results)
    done = {_key(row) for row in found}
    strategies = {one.key(): one for one in (drawn.canonical(depth) for drawn in strategies_in(space))}
    for name in options.sets:
        pictures = SETS[name](options.root, options.side)
        pictures = pictures[0][: options.rows], pictures[1][: options.rows]
        for seed in range(options.seeds):
            data = data_of(pictures, seed, options.side)
            for key, strategy in strategies.items():
                row: Row = {"set": name, "seed": seed, "key": key, "label": " ".join(strategy.structure.label())}
                if _key(row) in done:
                    continue
                row |= measured(data, strategy)
                found.append(row)
                if options.results is not None:
                    with options.results.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
    return [row for row in found if row["set"] in options.sets and row["key"] in strategies]


def front(rows: Sequence[Row]) -> list[Row]:
    """Those that are better than all that are as cheap: cheapest first, by validation accuracy."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda one: (one["multiply_adds"], -one["validation"])):
        if not kept or row["validation"] > kept[-1]["validation"]:
            kept.append(row)
    return kept


def area(rows: Sequence[Row], everything: Sequence[Row]) -> float:
    """Of accuracy above the worst, under the steps of a front, over the logarithm of operations: both as measured."""
    costs = [row["multiply_adds"] for row in everything]
    floor, most = min(row["validation"] for row in everything), math.log(max(costs))
    steps = front(rows)
    ends = [*(math.log(row["multiply_adds"]) for row in steps[1:]), most]
    return sum(
        (row["validation"] - floor) * (end - math.log(row["multiply_adds"]))
        for row, end in zip(steps, ends, strict=True)
    )


def searched(kind: str, space: StrategySpace, depth: Depth, rows: Mapping[str, Row], trials: int, seed: int) -> float:
    """The area that a search has found, as a share of what there is."""
    spec = members("searcher")[kind]()
    phase = Phase(0, NoScheduler(), spec, trials, 1, False, False, False)
    history: list[Observation] = []
    proposer = SearchProposer(
        build_searcher(spec, space, METRIC, seed),  # type: ignore[arg-type]
        phase,
        history=lambda: tuple(history),
        depth=lambda _: depth,
    )
    found = []
    while (proposal := proposer.propose(lambda _: None)) is not None:
        row = rows[proposal.strategy.key()]
        history.append(Observation(proposal.strategy, {1: row["validation"]}))
        found.append(row)
    return area(found, [*rows.values()]) / area([*rows.values()], [*rows.values()])


def _by_key(rows: Sequence[Row]) -> dict[str, Row]:
    """Means over seeds."""
    names = ("validation", "test")
    found: dict[str, Row] = {}
    for key in dict.fromkeys(row["key"] for row in rows):
        alike = [row for row in rows if row["key"] == key]
        found[key] = alike[0] | {name: statistics.mean(row[name] for row in alike) for name in names}
    return found


def draw(results: Mapping[str, Mapping[str, Row]], path: Path) -> None:
    """A panel for each set: all structures, and the front."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(results), figsize=(4.5 * len(results), 3.6), squeeze=False)
    for panel, (name, rows) in zip(panels[0], results.items(), strict=True):
        for marker, colour, wanted in (("o", "tab:blue", False), ("x", "tab:orange", True)):
            some = [row for row in rows.values() if ("skip" in row["label"]) == wanted]
            label = "blocks left out" if wanted else "top dropped"
            cost, score = [row["multiply_adds"] / 1e6 for row in some], [row["test"] for row in some]
            panel.scatter(cost, score, marker=marker, color=colour, label=label, s=22)
        best = front([*rows.values()])
        panel.step(
            [row["multiply_adds"] / 1e6 for row in best], [row["test"] for row in best], where="post", color="grey"
        )
        panel.set(xscale="log", xlabel="million multiply-adds", ylabel="test accuracy", title=name.replace("_", " "))
        panel.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _stored(path: Path | None) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path is not None and path.exists() else []


def _key(row: Row) -> tuple[str, int, str]:
    return row["set"], row["seed"], row["key"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=lambda text: text.split(","), default=["digits"])
    parser.add_argument("--root", type=Path, default=Path("/usr/share"), help="where the packages' files are")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=1, help="divisions of each set")
    parser.add_argument("--depths", type=int, help="so many depths instead of all")
    parser.add_argument("--trials", type=int, nargs="*", default=[8, 16, 24])
    parser.add_argument("--searches", type=int, default=20, help="searches of each searcher")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--picture", type=Path)
    return parser


def main(given: Sequence[str] | None = None) -> Row:
    options = _parser().parse_args(given)
    origin = provenance()
    torch.set_num_threads(1)
    space = space_of(options.backbone, options.side, options.depths)
    depth = depth_of(describe_backbone(options.backbone).architecture)
    rows = exhaustive(options, space, depth)
    results = {name: _by_key([row for row in rows if row["set"] == name]) for name in options.sets}
    shares: Row = {}
    for name, by_key in results.items():
        best = front([*by_key.values()])
        whole = max(row["multiply_adds"] for row in by_key.values())
        lines = [
            [row["label"] or "whole", row["params"] / 1e6, row["multiply_adds"] / whole, row["validation"], row["test"]]
            for row in (*best, *(row for row in by_key.values() if not row["label"]))
        ]
        print(f"\n{name}: the front, and the whole backbone")
        print(table(["structure", "M parameters", "of the operations", "validation", "test"], lines))
        shares[name] = {
            kind: {
                str(trials): round(
                    statistics.mean(
                        searched(kind, space, depth, by_key, trials, seed) for seed in range(options.searches)
                    ),
                    3,
                )
                for trials in options.trials
            }
            for kind in SEARCHERS
        }
        told = [[kind, *found.values()] for kind, found in shares[name].items()]
        print(f"{name}: area under the front that {options.searches} searches found, of what there is, after trials")
        print(table(["searcher", *map(str, options.trials)], told))
    if options.picture is not None:
        draw(results, options.picture)
    fronts = {name: [row["label"] for row in front([*by_key.values()])] for name, by_key in results.items()}
    figures = {"structures": len(next(iter(results.values()))), "front": fronts, "found": shares}
    print(json_line("structure", origin, figures))
    return figures


if __name__ == "__main__":
    main()

"""The choice of `graft fewshot` against each of its heads alone: k samples a class, drawn anew several times.

Features are computed once a set; a draw takes k training samples of each class, compares the heads as the command does,
and is scored on all test rows. `regret` is what the best fixed head (over all draws of a set and k) has more than the
choice, in points; it is known afterwards only. Balanced accuracy is the mean over classes.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import json_line, provenance, table
from small.tables import SmallSet, write_small_set

from graft.data.dataset import Split
from graft.data.draft import Wish
from graft.pipeline.fewshot.asked import few_shot_job
from graft.pipeline.fewshot.candidates import Embedded, candidates_of, chosen, embedded_in
from graft.pipeline.fewshot.heads import Method, head_for
from graft.pipeline.fewshot.shots import Shots, shots_of
from graft.spec.load import parse_job

EXAMPLE = """examples:
  python tests/benchmarks/few_shot.py --cache ~/.cache/graft-defaults --assets ASSETS --sets emoji,deb_section
  python tests/benchmarks/few_shot.py --sets digits --k 1,5 --draws 2
"""
SETS = ("emoji", "clip_art", "deb_section", "wordnet_noun")


def embedded_set(one: SmallSet, resolution: int) -> tuple[Shots, Embedded]:
    """All samples of a set as the default backbone sees them."""
    if one.kind == "text":
        data = {"kind": "table", "path": str(one.path), "text": "text", "label": "label", "split": "split"}
        job = parse_job({"version": 1, "name": "fewshot", "data": data})
    else:
        job = few_shot_job(one.folder, Wish(), (f"strategy.resolution={resolution}",))
    shots = shots_of(job, most=sys.maxsize)
    every = np.arange(len(shots.data.arrays.targets))
    whole = replace(shots, data=_with_splits(shots, np.full(len(every), Split.TRAIN, np.uint8)))
    (embedded,) = embedded_in(whole)
    return shots, embedded


def draws_of(shots: Shots, k: int, draws: int) -> Iterator[Shots]:
    """k training samples of each class that has so many; the classes that have not are left as they are."""
    arrays = shots.data.arrays
    for draw in range(draws):
        rng = np.random.default_rng([draw, k])
        taken = [rng.permutation(rows)[:k] for rows in _by_class(shots)]
        splits = np.where(arrays.splits == Split.TEST, Split.TEST, Split.VALIDATION).astype(np.uint8)
        splits[np.concatenate(taken)] = Split.TRAIN
        yield replace(shots, data=_with_splits(shots, splits))


def scores_of(shots: Shots, embedded: Embedded) -> dict[str, tuple[float, float]]:
    """Accuracy and balanced accuracy on the test rows of each head, and of the choice (``graft``)."""
    candidates = candidates_of(shots, [embedded])
    best = chosen(candidates, shots.k)
    found = {one.strategy.head.kind: _tested(shots, embedded, one.how) for one in candidates}
    return {**found, "graft": found[best.strategy.head.kind]}


def _tested(shots: Shots, embedded: Embedded, how: Method) -> tuple[float, float]:
    arrays = shots.data.arrays
    rows = arrays.rows(Split.TEST)
    head = head_for(shots.data, embedded.network, how, embedded.features[torch.from_numpy(shots.rows)], shots.rows)
    with torch.inference_mode():
        answers = head(embedded.features[torch.from_numpy(rows)])
    right = answers.argmax(dim=1).numpy() == arrays.targets[rows]
    of_classes = [right[arrays.targets[rows] == code].mean() for code in np.unique(arrays.targets[rows])]
    return float(right.mean()), float(np.mean(of_classes))


def _with_splits(shots: Shots, splits: np.ndarray) -> Any:
    return replace(shots.data, arrays=replace(shots.data.arrays, splits=splits))


def _by_class(shots: Shots) -> list[np.ndarray]:
    arrays = shots.data.arrays
    rows = arrays.rows(Split.TRAIN)
    return [rows[arrays.targets[rows] == code] for code in range(len(arrays.names))]


def measured(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each k."""
    one = write_small_set(name, 0, options.cache, options.assets, (options.train, options.test))
    shots, embedded = embedded_set(one, options.resolution)
    found = []
    for k in options.k:
        draws = [scores_of(draw, embedded) for draw in draws_of(shots, k, options.draws)]
        means = {way: np.mean([draw[way] for draw in draws], axis=0) for way in draws[0]}
        fixed = max(float(score[0]) for way, score in means.items() if way != "graft")
        balanced = {way: float(score[1]) for way, score in means.items()}
        plain = {way: float(score[0]) for way, score in means.items()}
        regret = 100 * (fixed - plain["graft"])
        found.append({"set": name, "k": k, "accuracy": plain, "balanced": balanced, "regret": regret})
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print everything."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        options.cache = options.cache or Path(made)
        results = [row for name in options.sets for row in measured(name, options)]
    ways = list(results[0]["accuracy"])
    rows = [[one["set"], one["k"], *(one["balanced"][way] for way in ways), one["regret"]] for one in results]
    print(table(["set", "k", *(f"{way}, balanced" for way in ways), "regret (accuracy, points)"], rows))
    mean = float(np.mean([one["regret"] for one in results]))
    print(f"mean regret {mean:.2f} points over {len(results)} sets and k")
    print(json_line("few_shot", origin, {"draws": options.draws, "results": results, "mean_regret": mean}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cache", type=Path, help="directory of the sets")
    add("--assets", type=Path, default=Path("/"), help="where the packages of the pictures were unpacked (default: /)")
    add("--sets", type=lambda text: text.split(","), default=list(SETS), help=f"default: {','.join(SETS)}")
    add("--k", type=lambda text: [int(one) for one in text.split(",")], default=[1, 2, 5, 10, 20], help="shots")
    add("--draws", type=int, default=10, help="how often samples are drawn (default: 10)")
    add("--resolution", type=int, default=112, help="of the images (default: 112)")
    add("--train", type=int, default=1000, help="most rows to draw from (default: 1000)")
    add("--test", type=int, default=1000, help="most rows to test on (default: 1000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

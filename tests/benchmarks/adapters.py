"""What it costs and gives to train some of the weights only: LoRA, IA3, norms, biases, surgical blocks, beside all.

Each is a training of its own on the same rows, one process and one thread; their epochs take turns, so that a ratio is
one of neighbours in time. `speed` is the steps in a second of CPU over those of the full fine-tune, the median over
epochs; `share` is that of the weights which train; `accuracy` is the best epoch's on the validation rows, for the
better of the given learning rates. `some` are the layers that adapters are usually put on, else all that can have one.
"""

import argparse
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from in_memory import training_data_of
from reporting import json_line, provenance, table

from graft.data.dataset import Split
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.spec.strategy import Strategy
from graft.training.loop import EpochResult, TrainingStatus, train_epoch

EXAMPLE = """example:
  python tests/benchmarks/adapters.py --text deb_section.csv --images /usr/share/datasets/fashion-mnist --epochs 4
"""
WAYS: dict[str, Any] = {
    "all": "all",
    "lora r8": {"kind": "lora", "rank": 8},
    "lora r8, some": {"kind": "lora", "rank": 8, "targets": "some"},
    "ia3": "ia3",
    "norms": "norms",
    "biases": "biases",
    "surgical first": {"kind": "surgical", "part": "first"},
    "surgical last": {"kind": "surgical", "part": "last"},
    "head": "all",
}
SOME = {"efficientnet_lite0": ["conv_pw", "conv_pwl"], "minilm_l6": ["query", "value"]}
"""Layers that adapters are usually put on: expansion and projection, queries and values."""
RATES = {"all": [3e-4, 1e-3], "surgical first": [1e-3, 3e-3], "surgical last": [1e-3, 3e-3]}
OTHER_RATES = [3e-3, 1e-2]


def jobs_of(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The sets that are there, as jobs."""
    training = {"training": {"epochs": options.epochs}, "version": 1, "name": "adapters"}
    images = {"kind": "idx", "path": str(options.images)} if options.images else {"kind": "digits"}
    images |= {"limit": options.limit}
    found = {"images": {**training, "data": images, "strategy": {"resolution": options.resolution}}}
    if options.text:
        columns = {"text": "text", "label": "label", "split": "split"}
        data = {"kind": "table", "path": str(options.text), "limit": options.limit, **columns}
        sizes = {"backbone": "minilm_l6", "max_tokens": options.max_tokens}
        found["texts"] = {**training, "data": data, "task": "classification", "strategy": sizes}
    return found


def strategies_of(job: dict[str, Any], options: argparse.Namespace) -> dict[str, list[Strategy]]:
    """Each way at each of its learning rates."""
    backbone = job["strategy"].get("backbone", "efficientnet_lite0")
    found: dict[str, list[Strategy]] = {}
    for way in options.ways:
        tune = dict(WAYS[way]) if isinstance(WAYS[way], dict) else WAYS[way]
        if isinstance(tune, dict) and tune.get("targets") == "some":
            tune["targets"] = SOME[backbone]
        plain = {
            **job["strategy"],
            "backbone": backbone,
            "tune": tune,
            "freeze": float(way == "head"),
            "batch_size": 32,
        }
        rates = RATES.get(way, OTHER_RATES)[: options.rates]
        found[way] = [Strategy.model_validate({**plain, "lr": rate, "head_lr_factor": 1e-2 / rate}) for rate in rates]
    return found


def epoch(learner: SupervisedLearner) -> dict[str, float]:
    """One more epoch: steps in a second of CPU, and the score."""
    found: dict[str, float] = {}
    began = time.process_time()

    def after_step(*_: int) -> None:
        found["steps_s"] = learner.session.steps_per_epoch / (time.process_time() - began)

    def after_epoch(result: EpochResult) -> bool:
        found["accuracy"] = result.metrics["val/accuracy"]
        return False

    outcome = learner.train(after_epoch, validate=True, train_one=partial(train_epoch, on_step=after_step))
    if outcome.status is TrainingStatus.NON_FINITE:
        raise RuntimeError(f"{learner.session.plan.strategy.label(['lr'])}: {outcome.reason}")
    return found


def compare(name: str, job: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each way."""
    data = training_data_of(job)
    made = {
        (way, place): build_learner(data, strategy, (Split.TRAIN,))
        for way, some in strategies_of(job, options).items()
        for place, strategy in enumerate(some)
    }
    turns: dict[tuple[str, int], list[dict[str, float]]] = {one: [] for one in made}
    for _ in range(options.epochs):
        for one, learner in made.items():
            turns[one].append(epoch(learner))
    rows = []
    for way in options.ways:
        own = [one for one in made if one[0] == way]
        ratios = [
            turn["steps_s"] / plain["steps_s"]
            for one in own
            for turn, plain in zip(turns[one], turns["all", 0], strict=True)
        ]
        best = max(own, key=lambda one: max(turn["accuracy"] for turn in turns[one]))
        learner = made[best]
        rows.append(
            {
                "set": name,
                "way": way,
                "speed": round(statistics.median(ratios), 3),
                "steps_s": round(statistics.median(turn["steps_s"] for one in own for turn in turns[one]), 2),
                "share": learner.facts["model/trainable_share"],
                "trained": int(learner.facts["model/trainable_params"]),
                "accuracy": round(max(turn["accuracy"] for turn in turns[best]), 4),
                "lr": learner.session.plan.strategy.lr,
            }
        )
    return rows


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    if options.smoke:
        options.limit, options.epochs, options.rates, options.resolution = 60, 1, 1, 32
        options.ways = ["all", "lora r8, some", "biases"]
    torch.set_num_threads(1)
    origin = provenance()
    rows = [row for name, job in jobs_of(options).items() for row in compare(name, job, options)]
    settings = {name: str(one) if isinstance(one, Path) else one for name, one in vars(options).items()}
    headers = ["set", "way", "÷ all", "steps/cpu s", "share", "accuracy", "lr"]
    print(table(headers, [[row["set"], row["way"], row["speed"], row["steps_s"], *_rest(row)] for row in rows]))
    print(json_line("adapters", origin, {"settings": settings, "results": rows}))
    return 0


def _rest(row: dict[str, Any]) -> list[Any]:
    return [f"{row['share']:.2%}", f"{row['accuracy']:.3f}", row["lr"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=Path, help="table with the columns text, label and split (`text_sets.py` writes some)")
    add("--images", type=Path, help="folder of IDX files; scikit-learn's digits without it")
    add("--limit", type=int, default=2000, help="samples of each (default: 2000)")
    add("--epochs", type=int, default=4, help="of each training (default: 4)")
    add("--rates", type=int, default=2, help="learning rates of each way (default: 2)")
    add("--resolution", type=int, default=64, help="pixels a side (default: 64)")
    add("--max-tokens", type=int, default=64, help="of a text (default: 64)")
    ways = [*WAYS]
    add("--ways", type=lambda text: text.split(";"), default=ways, help="some of them, by ;, and `all` among them")
    add("--smoke", action="store_true", help="60 digits, one epoch, three ways")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What scoring a strategy by folds costs, and how much steadier the score is: digits, frozen and half-frozen.

Each line is one strategy on `--samples` training and validation samples. `cpu s` are processor seconds of an epoch of a
trial, `score` and `spread` mean and standard deviation of its validation score over seeds, which draw split and
folds anew; the test score of the same seeds is beside them. One process, no Ray.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, table

EXAMPLE = """example:
  python tests/benchmarks/folds.py --samples 300 --seeds 5
"""
EPOCHS = 5


def measure(freeze: float, folds: int | None, seed: int, options: argparse.Namespace, home: Path) -> dict[str, float]:
    """Score and processor seconds of one trial."""
    import torch

    from graft.data import ingest as module
    from graft.data.dataset import Split
    from graft.data.decoding.blocks import local_blocks
    from graft.data.feature_store.key import data_fingerprint
    from graft.data.feature_store.store import FeatureStore
    from graft.learner.cached_features import FeatureCache
    from graft.learner.cross_validation.folds import folds_of
    from graft.learner.final_model import outputs_on
    from graft.learner.prefix import prefix_of
    from graft.learner.pretrained import preprocessing_for
    from graft.learner.supervised import build_learner
    from graft.learner.training_data import training_data_of
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.stages.ingest import ingestion_of
    from graft.spec.load import parse_job
    from graft.spec.strategy import Strategy

    torch.set_num_threads(1)
    module.decoded_blocks = local_blocks
    data = {"kind": "digits", "limit": options.samples, "seed": seed}
    search = {"seed": seed, "evaluation": {"folds": folds, "repeats": options.repeats}}
    raw = {"name": "x", "data": data, "strategy": {"resolution": 32}, "search": search, "training": {"epochs": EPOCHS}}
    job = resolve_job(parse_job(raw)).job
    dataset = module.ingest(ingestion_of(job), home / "datasets")
    strategy = Strategy(freeze=freeze, resolution=32, lr=0.005, batch_size=32)
    prefix = prefix_of(strategy)
    wanted = frozenset([prefix] if prefix else [])
    cache = FeatureCache(FeatureStore(home / "features", 10**9), data_fingerprint(dataset), wanted)
    training = training_data_of(job, dataset, 1, cache)
    training = replace(training, folds=folds_of(job.search.evaluation, training))
    learner, seen = build_learner(training, strategy, (Split.TRAIN,)), []
    began = time.process_time()
    learner.train(lambda result: seen.append(result.metrics["val/accuracy"]), validate=True)
    seconds = (time.process_time() - began) / EPOCHS
    rows = training.arrays.rows(Split.TEST)
    outputs = outputs_on(training, learner.session.model.network, preprocessing_for(training, strategy), rows)
    test = float((outputs.argmax(dim=1).cpu().numpy() == training.arrays.targets[rows]).mean())
    return {"score": seen[-1], "cpu": seconds, "test": test}


def main() -> int:
    """Measure, and print."""
    options, origin = _parser().parse_args(), provenance()
    if options.smoke:
        options.samples, options.seeds, options.freezes = 60, 2, [1.0]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        for freeze in options.freezes:
            for folds in (None, 5):
                runs = [measure(freeze, folds, seed, options, Path(made)) for seed in range(options.seeds)]
                found.append({"freeze": freeze, "folds": folds, "runs": runs})
    rows = [[one["freeze"], _named(one["folds"], options.repeats), *_told(one["runs"])] for one in found]
    print(table(["freeze", "scored on", "cpu s an epoch", "score", "spread", "test", "spread"], rows))
    print(json_line("folds", origin, {"samples": options.samples, "repeats": options.repeats, "results": found}))
    return 0


def _named(folds: int | None, repeats: int) -> str:
    return "a fifth" if folds is None else f"{folds} folds, {repeats} times"


def _told(runs: list[dict[str, float]]) -> list[str]:
    cpu = statistics.median(one["cpu"] for one in runs)
    parts = [f"{cpu:.3f}"]
    for name in ("score", "test"):
        values = [one[name] for one in runs]
        parts += [f"{statistics.mean(values):.3f}", f"{statistics.stdev(values):.3f}"]
    return parts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--samples", type=int, default=300, help="for training and validation (default: 300)")
    add("--repeats", type=int, default=2, help="of the folds (default: 2)")
    add("--seeds", type=int, default=5, help="how many (default: 5)")
    add("--freezes", type=lambda text: [float(one) for one in text.split(",")], default=[1.0, 0.5], help="shares")
    add("--smoke", action="store_true", help="a minute")
    return parser


if __name__ == "__main__":
    sys.exit(main())

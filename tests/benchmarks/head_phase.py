"""What it saves that a head which trains alone reads stored features: LP-FT with the feature store, and without.

One training of `head_first` (30 % of the epochs train the head alone) on each set, twice: with an empty feature store,
and without one. `head` are the processor seconds of the epochs of the head, with the pass that computes the features;
`again` the same once they are stored, as every further trial of a search finds them; `rest` those of the epochs in
which everything trains, ÷ is of the whole training. The largest difference of the weights after the head's epochs is
beside them. One process, no Ray.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, table

EXAMPLE = """example:
  python tests/benchmarks/head_phase.py --samples 500 --epochs 10 --texts ~/.cache/graft-texts
"""
DIGITS, TEXTS = "digits", "fine_foods"
BACKBONES = {DIGITS: {"backbone": "efficientnet_lite0"}, TEXTS: {"backbone": "minilm_l6"}}
ORDER = {"unfreeze": {"kind": "head_first", "share": 0.3}, "batch_size": 32, "lr": 5e-4, "head_lr_factor": 20.0}


def data_of(name: str, options: argparse.Namespace, home: Path) -> tuple[Any, Any, Any]:
    """Training data, strategy and a feature cache that wants what rests at first."""
    from graft.data import ingest as module
    from graft.data.decoding.blocks import local_blocks
    from graft.data.feature_store.key import data_fingerprint
    from graft.data.feature_store.store import FeatureStore
    from graft.learner.cached_features import FeatureCache
    from graft.learner.phases.head_phase import head_prefix_of
    from graft.learner.training_data import training_data_of
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.stages.ingest import ingestion_of
    from graft.spec.load import parse_job
    from graft.spec.strategy import Strategy

    module.decoded_blocks = local_blocks
    size = {"resolution": options.side} if name == DIGITS else {"max_tokens": options.tokens}
    raw = {"data": _data(name, options, home), "strategy": {**BACKBONES[name], **size}, "task": "classification"}
    job = resolve_job(parse_job({"name": "x", "training": {"epochs": options.epochs}, **raw})).job
    dataset = module.ingest(ingestion_of(job), home / "datasets")
    strategy = Strategy.model_validate({**BACKBONES[name], **size, **ORDER})
    prefix = head_prefix_of(strategy)
    assert prefix is not None, "the head trains alone on samples that stay the same"
    store = FeatureStore(home / "features", 10**9)
    return (
        training_data_of(job, dataset, 1),
        strategy,
        FeatureCache(store, data_fingerprint(dataset), frozenset([prefix])),
    )


def measure(name: str, options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Processor seconds of both ways, and how far apart the weights are."""
    import torch

    from graft.data.dataset import Split
    from graft.learner.phases.head_phase import head_epochs
    from graft.learner.supervised import build_learner

    torch.set_num_threads(1)
    data, strategy, cache = data_of(name, options, home)
    build_learner(data, strategy, (Split.TRAIN,))  # weights are read, kernels are chosen
    alone, told, weights = head_epochs(strategy, options.epochs), dict[str, float](), []
    for way, feature_cache in (("without", None), ("empty", cache), ("filled", cache)):
        began = time.process_time()
        learner = build_learner(replace(data, feature_cache=feature_cache), strategy, (Split.TRAIN,))
        learner.train(lambda result: result.epoch < alone, validate=True)
        told[way] = time.process_time() - began
        weights.append({key: one.clone() for key, one in learner.session.model.network.state_dict().items()})
    began = time.process_time()
    learner.train(None, validate=True)
    gap = max(float((weights[0][key] - one).abs().max()) for key, one in weights[1].items() if one.is_floating_point())
    rest = time.process_time() - began
    return {"set": name, "alone": alone, **told, "rest": rest, "gap": gap, "scores": dict(learner.session.best_metrics)}


def main() -> int:
    """Measure, and print."""
    options, origin = _parser().parse_args(), provenance()
    if options.smoke:
        options.samples, options.epochs, options.side, options.tokens = 40, 3, 32, 16
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        found = [measure(name, options, Path(made) / name) for name in options.sets]
    rows = [
        [one["set"], one["alone"], *_told(one), f"{one['gap']:.1e}"]
        for one in found
    ]  # fmt: skip
    titles = ["set", "epochs of the head", "head without", "head, store empty", "again", "rest", "÷", "gap"]
    print(table(titles, rows))
    settings = {"samples": options.samples, "epochs": options.epochs, "side": options.side, "tokens": options.tokens}
    print(json_line("head_phase", origin, {"settings": settings, "results": found}))
    return 0


def _told(one: dict[str, Any]) -> list[str]:
    saved = (one["without"] + one["rest"]) / (one["filled"] + one["rest"])
    return [*(f"{one[name]:.2f}" for name in ("without", "empty", "filled", "rest")), f"{saved:.2f}"]


def _data(name: str, options: argparse.Namespace, home: Path) -> dict[str, Any]:
    if name == DIGITS:
        return {"kind": "digits", "limit": options.samples}
    if options.smoke:
        from texts.toy import write_toy

        path = write_toy(home, "toy", options.samples, ["a", "b"])
    else:
        from text_sets import write_set

        path = write_set(TEXTS, 0, options.texts, options.samples, 200)
    return {"kind": "table", "path": str(path), "text": "text", "label": "label", "split": "split"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", type=lambda text: text.split(","), default=[DIGITS, TEXTS], help=f"default: {DIGITS},{TEXTS}")
    add("--texts", type=Path, help="directory of the sets of texts (text_sets.py)")
    add("--samples", type=int, default=500, help="for training and validation (default: 500)")
    add("--epochs", type=int, default=10, help="of the training (default: 10)")
    add("--side", type=int, default=64, help="pixels a side (default: 64)")
    add("--tokens", type=int, default=64, help="of a text (default: 64)")
    add("--smoke", action="store_true", help="made-up texts, a few samples: half a minute")
    return parser


if __name__ == "__main__":
    sys.exit(main())

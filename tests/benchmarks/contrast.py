"""What a contrastive loss beside the task's own gives where labels are few: test accuracy on real texts.

On each set, with so many rows for training, three ways on the same rows, upper half of MiniLM-L6, lower half frozen:
    probe      logistic regression on frozen features, in closed form
    tuned      head started in closed form, then fine-tuned
    contrast   the same with `penalty: contrast`
A cell is the mean over seeds, which draw the rows anew; the difference of the last two is paired, with its standard
error. One process, no Ray.
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
  python tests/benchmarks/contrast.py --texts ~/.cache/graft-texts --rows 50,100,200 --seeds 5
"""
TUNED = {"freeze": 0.5, "head_start": "closed_form", "lr": 1e-4, "head_lr_factor": 10.0, "batch_size": 16}


def ways(strength: float, temperature: float) -> dict[str, dict[str, Any]]:
    """Strategies by their names."""
    contrast = {"kind": "contrast", "strength": strength, "temperature": temperature}
    return {"probe": {"freeze": 1.0, "head": "logistic"}, "tuned": TUNED, "contrast": {**TUNED, "penalty": contrast}}


def measure(name: str, rows: int, seed: int, options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Test accuracy and processor seconds of each way."""
    import torch

    from graft.data import ingest as module
    from graft.data.decoding.blocks import local_blocks
    from graft.data.feature_store.key import data_fingerprint
    from graft.data.feature_store.store import FeatureStore
    from graft.learner.cached_features import FeatureCache
    from graft.learner.phases.head_phase import head_prefix_of
    from graft.learner.prefix import prefix_of
    from graft.learner.training_data import training_data_of
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.stages.ingest import ingestion_of
    from graft.spec.load import parse_job
    from graft.spec.strategy import Strategy

    torch.set_num_threads(1)
    module.decoded_blocks = local_blocks
    base = {"backbone": options.backbone, "max_tokens": options.tokens}
    data = {"kind": "table", "path": str(_table(name, rows, seed, options, home)), **_COLUMNS}
    raw = {"name": "x", "data": data, "strategy": base, "task": "classification", "search": {"seed": seed}}
    job = resolve_job(parse_job({**raw, "training": {"epochs": options.epochs}})).job
    dataset = module.ingest(ingestion_of(job), home / "datasets")
    strategies = {
        way: Strategy.model_validate({**base, **one})
        for way, one in ways(options.strength, options.temperature).items()
    }
    found = (of(one) for one in strategies.values() for of in (prefix_of, head_prefix_of))
    wanted = frozenset(one for one in found if one is not None)
    cache = FeatureCache(FeatureStore(home / "features", 10**9), data_fingerprint(dataset), wanted)
    training = replace(training_data_of(job, dataset, 1, cache), patience=None)
    told: dict[str, Any] = {"set": name, "rows": rows, "seed": seed}
    for way, strategy in strategies.items():
        began = time.process_time()
        told[way] = _accuracy(training, strategy)
        told[f"{way}_cpu"] = time.process_time() - began
    return told


_COLUMNS = {"text": "text", "label": "label", "split": "split"}


def _accuracy(training: Any, strategy: Any) -> float:
    """On the test texts, of the last epoch of a training on training and validation rows."""
    from graft.data.dataset import Split
    from graft.learner.final_model import outputs_on
    from graft.learner.pretrained import preprocessing_for
    from graft.learner.supervised import build_learner

    learner = build_learner(training, strategy, (Split.TRAIN, Split.VALIDATION))
    learner.train(None, validate=False)
    rows = training.arrays.rows(Split.TEST)
    network = learner.session.model.network.eval()
    outputs = outputs_on(training, network, preprocessing_for(training, strategy), rows)
    return float((outputs.argmax(dim=1).cpu().numpy() == training.arrays.targets[rows]).mean())


def main() -> int:
    """Measure, and print."""
    options, origin = _parser().parse_args(), provenance()
    if options.smoke:
        options.sets, options.rows, options.seeds, options.epochs, options.tokens = ["toy"], [20], 1, 1, 16
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        for name in options.sets:
            for rows in options.rows:
                for seed in range(options.seeds):
                    found.append(measure(name, rows, seed, options, Path(made) / f"{name}-{rows}-{seed}"))
                print("  ", _line(name, rows, found), flush=True)
    lines = [_line(name, rows, found) for name in options.sets for rows in options.rows]
    print(table(["set", "rows", "probe", "tuned", "contrast", "gain", "± error", "cpu ÷"], lines))
    settings = {name: getattr(options, name) for name in ("epochs", "tokens", "strength", "temperature", "backbone")}
    print(json_line("contrast", origin, {"settings": settings, "results": found}))
    return 0


def _line(name: str, rows: int, found: list[dict[str, Any]]) -> list[Any]:
    some = [one for one in found if (one["set"], one["rows"]) == (name, rows)]
    gains = [one["contrast"] - one["tuned"] for one in some]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    means = [f"{statistics.mean(one[way] for one in some):.3f}" for way in ("probe", "tuned", "contrast")]
    cost = sum(one["contrast_cpu"] for one in some) / sum(one["tuned_cpu"] for one in some)
    return [name, rows, *means, f"{statistics.mean(gains):+.3f}", f"{error:.3f}", f"{cost:.2f}"]


def _table(name: str, rows: int, seed: int, options: argparse.Namespace, home: Path) -> Path:
    if name == "toy":
        from texts.toy import write_toy

        return write_toy(home, name, rows, ["a", "b"])
    from text_sets import write_set

    return write_set(name, seed, options.texts, rows, options.test)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--texts", type=Path, help="directory of the sets of texts (text_sets.py)")
    add(
        "--sets", type=lambda text: text.split(","), default=["fine_foods", "deb_section"], help="names of text_sets.py"
    )
    add("--rows", type=lambda text: [int(one) for one in text.split(",")], default=[100, 400], help="default: 100,400")
    add("--seeds", type=int, default=5, help="how many (default: 5)")
    add("--epochs", type=int, default=10, help="of each training (default: 10)")
    add("--tokens", type=int, default=64, help="of a text (default: 64)")
    add("--test", type=int, default=300, help="rows to test on (default: 300)")
    add("--strength", type=float, default=1.0, help="of the contrast (default: 1)")
    add("--temperature", type=float, default=0.1, help="of the contrast (default: 0.1)")
    add("--backbone", default="minilm_l6", help="default: minilm_l6")
    add("--smoke", action="store_true", help="made-up texts, one epoch: half a minute")
    return parser


if __name__ == "__main__":
    sys.exit(main())

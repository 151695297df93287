"""Weights mapped to other networks: is the function kept on real samples, and what is a start from them worth?

    python tests/benchmarks/mapping.py --seeds 5 --rows 60,300,1079 --epochs 12

First every pair of a source and a larger or differently written target: coverage, largest difference and correlation
of the features on real photos and texts. Then a deeper network (EfficientNet-Lite1) fine-tuned on digits from its own
ImageNet weights, from those of a smaller one (Lite0), from an earlier task of graft's, and from random blocks; with the
smaller network itself beside it. All starts of a seed share the split and the rows that are left.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from in_memory import sampled, training_data_of
from reporting import json_line, provenance, table

from graft.data.dataset import Split
from graft.learner.final_model import outputs_on
from graft.learner.mapped.backbone import map_backbone
from graft.learner.mapped.comparison import compare
from graft.learner.pretrained import build_network
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.models.bundle import BundleSpec, write_bundle
from graft.models.load import describe_backbone
from graft.models.mapping.source import find_source
from graft.spec.strategy import Strategy

PAIRS = (
    ("efficientnet_lite0", "timm:tf_efficientnet_lite1", 64),
    ("efficientnet_lite0", "timm:tf_efficientnet_lite2", 64),
    ("efficientnet_lite1", "timm:tf_efficientnet_lite2", 64),
    ("efficientnet_lite0", "timm:tf_efficientnet_lite3", 64),
    ("efficientnet_lite1", "efficientnet_lite0", 64),
    ("mobilenet_v2", "timm:mobilenetv2_100", 64),
    ("mobilenet_v2", "timm:mobilenetv2_140", 64),
    ("mobilenet_v2", "timm:mobilenetv2_110d", 64),
    ("efficientnet_lite0", "timm:tf_efficientnet_b0", 64),
    ("minilm_l6", "minilm_l6", 64),
)
DEEPER, SMALLER = "efficientnet_lite1", "efficientnet_lite0"
STARTS: Mapping[str, Mapping[str, Any]] = {
    "own weights": {"backbone": DEEPER},
    "of the smaller network": {"backbone": DEEPER, "init": {"kind": "mapped", "source": SMALLER}},
    "of an earlier task": {"backbone": DEEPER},
    "random blocks": {"backbone": DEEPER, "init": {"kind": "reinitialise", "blocks": 100}},
    "the smaller network": {"backbone": SMALLER},
}
TRAINING = {"resolution": 32, "lr": 2e-3, "batch_size": 32, "freeze": 0.0}
# The earlier task knows half of the digits, turned upside down: other pictures, some of the same labels.
EARLIER = 5


def function_of(source: str, target: str, size: int) -> dict[str, Any]:
    """What a mapping keeps; seconds on this machine, reading included."""
    start = time.perf_counter()
    mapped = map_backbone(find_source(source), target, size, min_coverage=0.0)
    seconds = time.perf_counter() - start
    found = compare(mapped)
    assert found is not None, "all of these can be run"
    return {
        "source": source,
        "target": target,
        "coverage": mapped.report.coverage,
        "missing": len(mapped.report.missing),
        "difference": found.max_difference,
        "scale": found.scale,
        "correlation": found.correlation,
        "alignment": found.alignment,
        "seconds": seconds,
    }


def accuracy_from(data: TrainingData, fields: Mapping[str, Any]) -> float:
    """Test accuracy of the best epoch of a fine-tuning."""
    strategy = Strategy.model_validate({**TRAINING, **fields})
    learner = build_learner(data, strategy, (Split.TRAIN,))
    learner.train(None, validate=True)
    learner.session.restore_best()
    network, (_, preprocessing) = learner.session.model.network, build_network(data, strategy)
    rows = data.arrays.rows(Split.TEST)
    outputs = outputs_on(data, network, preprocessing, rows)
    return float(np.mean(outputs.argmax(dim=1).numpy() == data.arrays.targets[rows]))


def earlier_bundle(data: TrainingData, folder: Path) -> Path:
    """A bundle of the earlier task: `EARLIER` digits upside down, all of their training rows."""
    known = data.arrays.targets < EARLIER
    columns = {name: np.ascontiguousarray(column[known, ::-1]) for name, column in data.arrays.columns.items()}
    arrays = replace(
        data.arrays,
        columns=columns,
        targets=data.arrays.targets[known],
        splits=data.arrays.splits[known],
        names=data.arrays.names[:EARLIER],
        facts={**data.arrays.facts, "num_outputs": EARLIER},
    )
    own, strategy = replace(data, arrays=arrays), Strategy.model_validate({**TRAINING, "backbone": DEEPER})
    learner = build_learner(own, strategy, (Split.TRAIN,))
    learner.train(None, validate=True)
    learner.session.restore_best()
    _, preprocessing = build_network(own, strategy)
    info = describe_backbone(DEEPER)
    spec = BundleSpec(
        name="earlier",
        architecture=info.architecture,
        strategy=strategy,
        task=own.task_spec,
        names=own.arrays.names,
        num_outputs=EARLIER,
        preprocessing=preprocessing,
    )
    write_bundle(folder / "bundle", learner.session.model.network.cpu().eval(), spec)
    return folder / "bundle"


def starts(seed: int, rows: list[int], epochs: int) -> list[dict[str, Any]]:
    """Accuracy of every start at every number of training rows."""
    raw = {"name": "x", "data": {"kind": "digits", "seed": seed}, "strategy": {"backbone": DEEPER, **TRAINING}}
    data = replace(training_data_of({**raw, "training": {"epochs": epochs}}), seed=seed)
    total = int((data.arrays.splits == Split.TRAIN).sum())
    told = []
    with tempfile.TemporaryDirectory() as scratch:
        bundle = earlier_bundle(data, Path(scratch))
        for count in rows:
            some = replace(data, arrays=replace(data.arrays, splits=sampled(data, min(count / total, 1.0), seed)))
            for name, fields in STARTS.items():
                mapped = {"init": {"kind": "mapped", "source": str(bundle)}} if name == "of an earlier task" else {}
                found = accuracy_from(some, {**fields, **mapped})
                told.append({"seed": seed, "rows": count, "start": name, "accuracy": found})
                print(*told[-1].values(), flush=True)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=len(PAIRS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", default="60,300,1079")
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    where = provenance()
    functions = [function_of(*pair) for pair in PAIRS[: options.pairs]]
    if functions:
        shown = [{**one, "difference": f"{one['difference']:.1e}"} for one in functions]
        print(table((*functions[0],), [(*one.values(),) for one in shown]))
    rows = [int(one) for one in options.rows.split(",")]
    told = [one for seed in range(options.seeds) for one in starts(seed, rows, options.epochs)]
    means = [
        (name, *(_mean(one for one in told if (one["start"], one["rows"]) == (name, count)) for count in rows))
        for name in STARTS
    ]
    print(table(("start", *(f"{count} rows" for count in rows)), means))
    print(json_line("mapping", where, {"functions": functions, "results": told}))


def _mean(some: Any) -> float | None:
    found = [one["accuracy"] for one in some]
    return round(statistics.mean(found), 4) if found else None


if __name__ == "__main__":
    main()

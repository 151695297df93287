"""A number of an image or of a text: graft beside ridge regression on frozen features of the same network.

    rotation     by how many degrees a digit was turned (scikit-learn's digits, EfficientNet-Lite0); a kind of data of
                 the package in `rotated_digits`, added through its entry point
    tate_year    the year of a work of art by title and medium (MiniLM-L6)
    deb_size     the decimal logarithm of a package's installed kilobytes by its description (MiniLM-L6)
    fine_foods   1 for a review with the best score, 0 for any other (MiniLM-L6); its source has no finer score, so the
                 mean absolute error is least if every value is 0 or 1

Both see the same rows; the strength of ridge is chosen by the mean absolute error of folds. `MAE` is of the test rows,
`median` that of the training rows' median, which knows no sample. The interval is of graft's minus ridge's on the same
rows: below 0, graft is better. Works of an artist are drawn together. Outcomes are kept as in text.py.
"""

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from outcomes import Method, Outcome, outcome_of
from paired import difference, mean_absolute_error
from reporting import json_line, provenance, table

EXAMPLE = """example:
  python tests/benchmarks/regression.py --cache ~/.cache/graft-texts --sets rotation --minutes 4
"""
HERE = Path(__file__).resolve().parent
PLUGIN = HERE / "rotated_digits"
METHODS = ("ridge", "graft")
SETS = ("rotation", "tate_year")
BACKBONE, RESOLUTION = "efficientnet_lite0", 32
TEST = 1500


def compare(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Both methods on one set."""
    ways, train_values, targets = (_of_images if name == "rotation" else _of_texts)(name, seed, options)
    outcomes = []
    for method, run in ways.items():
        kept = options.cache / "outcomes" / f"regression-{name}-{seed}-{method}.json"
        if method in options.only or kept.exists():
            outcomes.append(outcome_of(method, run, kept, options.again and method in options.only))
    floor = mean_absolute_error(np.full(len(targets), np.median(train_values)), targets)
    found = {"set": name, "seed": seed, "train": len(train_values), "test": len(targets), "median": floor}
    groups = None if name == "rotation" else _test_groups(name, seed, options)
    return {**found, **figures(outcomes, targets, groups), "methods": [one.told() for one in outcomes]}


def figures(outcomes: Sequence[Outcome], targets: np.ndarray, groups: Sequence[str] | None = None) -> dict[str, Any]:
    """Mean absolute errors, and the difference if both are there, of whole groups where rows have some."""
    by_method = {one.method: one.array for one in outcomes}
    errors = {method: mean_absolute_error(array, targets) for method, array in by_method.items()}
    found: dict[str, Any] = {"mae": errors}
    if len(by_method) == len(METHODS):
        gap = difference(mean_absolute_error, by_method["graft"], by_method["ridge"], targets, groups=groups)
        found |= {"difference": gap.text(), "graft/ridge": errors["graft"] / errors["ridge"]}
    return found


def image_job(seed: int, images: int | None, minutes: float, epochs: int) -> dict[str, Any]:
    """The job for turned digits; nothing augments them, for that would turn them again."""
    return {
        "version": 1,
        "name": "rotation",
        "data": {"kind": "rotated_digits", "seed": seed, "side": RESOLUTION, **({"images": images} if images else {})},
        "task": "regression",
        "strategy": {
            "backbone": BACKBONE,
            "freeze": {"choice": [0.0, 0.25, 0.5, 0.75, 1.0]},
            "head": {"choice": ["linear", {"kind": "mlp", "width": 256}]},
            "lr": {"loguniform": [3e-4, 1e-2]},
            "resolution": RESOLUTION,
        },
        "training": {"epochs": epochs},
        "search": {"seed": seed, "scheduler": "asha", "budget": {"minutes": minutes}},
    }


def main() -> int:
    """Measure what is missing, and print everything."""
    options = _parser().parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        if options.smoke:
            options.cache, options.sets, options.seeds, options.only = Path(made), ["rotation"], [0], ["ridge"]
            options.images = 120
        results = [compare(name, seed, options) for name in options.sets for seed in options.seeds]
    headers = ["set", "seed", "method", "MAE", "median", "s", "load", "difference (95 %)"]
    print(table(headers, [row for one in results for row in _rows(one)]))
    settings = {name: getattr(options, name) for name in ("minutes", "epochs", "train", "images")}
    print(json_line("regression", origin, {"settings": settings, "results": results}))
    return 0


def _rows(result: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for one in result["methods"]:
        method = one["method"]
        told = result.get("difference") if method == "graft" else None
        where, error = [result["set"], result["seed"], method], result["mae"][method]
        rows.append([*where, error, result["median"], one["seconds"], one["load"][0], told])
    return rows


def _of_texts(name: str, seed: int, options: argparse.Namespace) -> tuple[dict[str, Method], np.ndarray, np.ndarray]:
    from text_sets import read_set, write_set

    path = write_set(name, seed, options.cache, options.train, TEST)
    parts = read_set(path)
    if name == "fine_foods":
        path = _with_numbers(path)
        parts = read_set(path)
    (texts, given), (test, wanted) = parts["train"], parts["test"]
    values, targets = (np.array(some, dtype=float) for some in (given, wanted))
    ways: dict[str, Method] = {
        "ridge": partial(_ridge_of_texts, texts, values, test),
        "graft": partial(_graft_of_texts, path, seed, options, test),
    }
    return ways, values, targets


def _of_images(name: str, seed: int, options: argparse.Namespace) -> tuple[dict[str, Method], np.ndarray, np.ndarray]:
    if str(PLUGIN) not in sys.path:
        sys.path.append(str(PLUGIN))
    from graft_rotated_digits.source import list_rotated
    from graft_rotated_digits.spec import RotatedDigitsData

    from graft.data.split import UNASSIGNED

    job = image_job(seed, options.images, options.minutes, options.epochs)
    listing = list_rotated(RotatedDigitsData.model_validate(job["data"]))
    images = np.stack([listing.reader(source, RESOLUTION)[1] for source in listing.sources])
    is_train, angles = listing.given == UNASSIGNED, listing.targets.values[:, 0]
    ways: dict[str, Method] = {
        "ridge": partial(_ridge_of_images, images, angles, is_train),
        "graft": partial(_graft_of_images, job, images[~is_train]),
    }
    return ways, angles[is_train], angles[~is_train]


def _test_groups(name: str, seed: int, options: argparse.Namespace) -> list[str] | None:
    from text_sets import write_set

    with write_set(name, seed, options.cache, options.train, TEST).open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test"]
    return [row["group"] for row in rows] if "group" in rows[0] else None


def _with_numbers(path: Path) -> Path:
    """The table of fine_foods with 1 and 0 for its two scores."""
    found = path.with_name(f"numbers-{path.name}")
    with path.open(newline="", encoding="utf-8") as source, found.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["text", "label", "split"])
        writer.writeheader()
        writer.writerows({**row, "label": "1" if row["label"] == "great" else "0"} for row in csv.DictReader(source))
    return found


def _ridge_of_texts(texts: Sequence[str], values: np.ndarray, test: Sequence[str]) -> Any:
    from texts.recipes import Encoder, ridge

    encoder = Encoder()
    return ridge(encoder.features(texts), values, encoder.features(test))


def _ridge_of_images(images: np.ndarray, angles: np.ndarray, is_train: np.ndarray) -> Any:
    """On the pooled features of the network that graft adapts, of the same pixels."""
    import torch
    from texts.recipes import ridge

    from graft.modalities.image.storage import StoredImages
    from graft.modalities.image.transforms import preprocess, preprocessing_of
    from graft.models.load import load_backbone

    loaded = load_backbone(BACKBONE, RESOLUTION)
    given = preprocessing_of(StoredImages(RESOLUTION, 1), RESOLUTION, loaded.info.input)
    network = loaded.backbone.eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        parts = [network(preprocess(some, given)).numpy() for some in np.array_split(images[..., None], 16)]
    features = np.concatenate(parts)
    return ridge(features[is_train], angles[is_train], features[~is_train])


def _graft_of_texts(path: Path, seed: int, options: argparse.Namespace, test: Sequence[str]) -> Any:
    from texts.adapted import adapt, text_job

    answers, facts = adapt(text_job(path, "regression", seed, options.minutes), test)
    return answers["value"].to_numpy(dtype=float), facts


def _graft_of_images(job: dict[str, Any], images: np.ndarray) -> Any:
    from texts.adapted import adapt

    there = os.pathsep.join(filter(None, [str(PLUGIN), os.environ.get("PYTHONPATH")]))
    answers, facts = adapt(job, list(images), {"PYTHONPATH": there})
    return answers["value"].to_numpy(dtype=float), facts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cache", type=Path, help="directory of the sets and of the outcomes")
    add("--sets", type=lambda text: text.split(","), default=list(SETS), help=f"default: {','.join(SETS)}")
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="default: 0")
    add("--only", type=lambda text: text.split(","), default=list(METHODS), help="default: ridge,graft")
    add("--again", action="store_true", help="run them even if their outcome is there")
    add("--minutes", type=float, default=5.0, help="graft's budget (default: 5)")
    add("--epochs", type=int, default=10, help="most epochs of a strategy for images (default: 10)")
    add("--train", type=int, default=2000, help="texts to train on (default: 2000)")
    add("--images", type=int, help="turned digits, test rows included (default: all 1,797)")
    add("--smoke", action="store_true", help="a few digits, ridge only: seconds, and no network")
    return parser


if __name__ == "__main__":
    sys.exit(main())

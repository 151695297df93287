"""What augmentations cost and gain.

`cost`: milliseconds of CPU an image for each policy and each way of mixing, in batches of 32 random images, one thread,
without decoding, resizing and normalisation. `gain`: the test accuracy of the best of some strategies by validation,
searched over learning rate alone, and over learning rate, augmentation and mixing, with equally many trials of equal
length: from 5, 20 and 100 % of a pool of training images, with an interval over seeds. `grid`: the picture of the docs.
"""

import argparse
import gzip
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from reporting import json_line, provenance, table

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.data.dataset import DatasetArrays, Split
from graft.data.read import Unreadable
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.image.decode import decode_image
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages, square
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.image import DigitsData, IdxData, ImageFolderData
from graft.spec.registry import build, members
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.lookup import metric_named

EXAMPLE = """examples:
  python tests/benchmarks/augmentation.py cost
  python tests/benchmarks/augmentation.py gain --sets digits --seeds 2 --pool 300
  python tests/benchmarks/augmentation.py grid docs/augmentation.png
"""
PHOTOS = ImageFolderData(path=Path("/photos"))
KINDS = ("light", "trivial", "rand", "auto", "augmix", "custom")
SHARES = (0.05, 0.2, 1.0)
TEST_ROWS = 300
PLAIN = {"lr": {"loguniform": [5e-4, 6e-3]}, "freeze": 0.5, "resolution": 32, "batch_size": 16}
SEARCHED = {
    **PLAIN,
    "augment": {
        "choice": [
            "none",
            {"kind": "light", "magnitude": {"uniform": [0.2, 0.6]}},
            {"kind": "trivial", "magnitude": {"uniform": [0.2, 1.0]}, "share": {"uniform": [0.5, 1.0]}},
            {"kind": "rand", "magnitude": {"uniform": [0.1, 0.5]}},
        ]
    },
    "mix": {"choice": ["none", {"kind": "mixup", "alpha": 0.2}, {"kind": "cutmix", "share": 0.5}]},
}


def cost(sides: list[int], repeats: int) -> list[dict[str, Any]]:
    """A row for each policy and size."""
    rows = []
    for side in sides:
        pixels = torch.rand(33, 3, side, side, generator=torch.Generator().manual_seed(0))
        own, others = Batch({PIXELS: pixels[:-1]}), Batch({PIXELS: pixels[1:]})
        for kind in KINDS:
            augmenter = build(members("augmentation")[kind].model_validate({}), PHOTOS)
            rows.append({"policy": kind, "side": side, "ms": ms_an_image(partial(augmenter.apply, own), repeats)})
        for kind in ("mixup", "cutmix"):
            mixer = build(members("mix")[kind].model_validate({}))
            rows.append({"policy": kind, "side": side, "ms": ms_an_image(partial(mixer.apply, own, others), repeats)})
    return rows


def ms_an_image(change: Callable[[Draws], Any], repeats: int) -> float:
    """CPU time of batches of 32, after one that does not count."""
    change(Draws.of_epoch(np.arange(32), 0, 0))
    started = time.process_time()
    for epoch in range(repeats):
        change(Draws.of_epoch(np.arange(32), 0, epoch))
    return 1e3 * (time.process_time() - started) / 32 / repeats


def gain(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each set and share, printed as soon as it is there."""
    found = []
    for name in options.sets:
        images, labels, data = SETS[name](options)
        for share in SHARES:
            differences, plain = [], []
            for seed in range(options.seeds):
                given = training_data(images, labels, data, round(share * options.pool), seed, options.epochs)
                scores = [searched(given, space, options.trials, seed) for space in (PLAIN, SEARCHED)]
                plain.append(scores[0])
                differences.append(scores[1] - scores[0])
            row = {"set": name, "images": round(share * options.pool), "none": float(np.mean(plain))}
            row |= {"gain": float(np.mean(differences)), "each": [round(one, 4) for one in differences]}
            row["interval"] = interval(differences)
            print(row, flush=True)
            found.append(row)
    return found


def interval(values: list[float]) -> list[float] | None:
    """95 % of Student's t over seeds; None of a single one."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [float(np.mean(values)) - half, float(np.mean(values)) + half]


def training_data(
    images: np.ndarray, labels: np.ndarray, data: DataSpec, rows: int, seed: int, epochs: int
) -> TrainingData:
    """So many rows to train (three quarters) and validate on, and the test rows, drawn by the seed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    # Every class has a sample to learn from, and one to be validated on.
    pool = order[TEST_ROWS:]
    first = np.concatenate([pool[labels[pool] == one][:2] for one in np.unique(labels)])
    rest = pool[~np.isin(pool, first)][: max(0, rows - len(first))]
    splits = np.full(len(labels), Split.VALIDATION + 10, dtype=np.uint8)
    splits[order[:TEST_ROWS]] = Split.TEST
    splits[first[::2]], splits[first[1::2]] = Split.TRAIN, Split.VALIDATION
    splits[rest] = np.where(np.arange(len(rest)) % 4 == 0, Split.VALIDATION, Split.TRAIN)
    arrays = DatasetArrays({PIXELS: images}, labels, splits, tuple(map(str, np.unique(labels))))
    arrays = replace(arrays, facts={"num_outputs": len(np.unique(labels))})
    storage, metric = StoredImages(32, images.shape[3]).spec(), metric_named("accuracy", "classification")  # type: ignore[arg-type]
    return TrainingData(arrays, storage, data, Classification(), metric, epochs, None, seed=seed, num_threads=1)


def searched(given: TrainingData, space: Mapping[str, Any], trials: int, seed: int) -> float:
    """Test accuracy of the best of some drawn strategies by validation accuracy."""
    rng, best = random.Random(seed), (-1.0, 0.0)
    strategies = StrategySpace.parse(dict(space))
    for _ in range(trials):
        learner = build_learner(given, strategies.sample(rng), (Split.TRAIN,))
        outcome = learner.train(None, validate=True)
        learner.session.restore_best()
        test = replace(learner, data=replace(given, arrays=_scored_on_test(given.arrays)))
        score = test.validation_metrics(learner.session.model)["accuracy"]
        best = max(best, (outcome.best_metrics.get("val/accuracy", 0.0), score))
    return best[1]


def _scored_on_test(arrays: DatasetArrays) -> DatasetArrays:
    """The test rows in the place of those of validation."""
    splits = arrays.splits.copy()
    splits[arrays.splits == Split.VALIDATION] = Split.VALIDATION + 10
    splits[arrays.splits == Split.TEST] = Split.VALIDATION
    return replace(arrays, splits=splits)


def _digits(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, DataSpec]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    squares = [square((one * 15.9).astype(np.uint8), StoredImages(32, 1)) for one in digits.images]
    return np.stack(squares), digits.target.astype(np.int64), DigitsData()


def _fashion(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, DataSpec]:
    folder, count = options.fashion, 6000
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + count * 784)[16:], np.uint8).reshape(count, 28, 28)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + count)[8:], np.uint8).astype(np.int64)
    squares = np.stack([square(one, StoredImages(32, 1)) for one in images])
    return squares, labels, IdxData(path=folder, flip="horizontal")


def _clip_art(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, DataSpec]:
    squares, labels = [], []
    for code, name in enumerate(("animals", "food", "people", "transportation", "buildings", "plants")):
        files = sorted((options.clip_art / name).rglob("*.png"))
        random.Random(0).shuffle(files)
        for path in files[:120]:
            try:
                squares.append(square(decode_image(path.read_bytes(), 4_000_000, min_side=32), StoredImages(32)))
            except Unreadable:
                continue
            labels.append(code)
    return np.stack(squares), np.array(labels), PHOTOS


SETS: dict[str, Callable[[argparse.Namespace], tuple[np.ndarray, np.ndarray, DataSpec]]] = {
    "digits": _digits,
    "fashion": _fashion,
    "clip_art": _clip_art,
}


def grid(target: Path, side: int = 72, columns: int = 8) -> None:
    """Versions of one photo, a row for each policy and each way of mixing."""
    from sklearn.datasets import load_sample_images

    photos = [square(one, StoredImages(side)) for one in load_sample_images().images]
    own, other = (torch.from_numpy(one).permute(2, 0, 1).float()[None] / 255 for one in reversed(photos))
    batch = Batch({PIXELS: own.expand(columns, -1, -1, -1).contiguous()})
    others = Batch({PIXELS: other.expand(columns, -1, -1, -1).contiguous()})
    rows = []
    for kind in KINDS:
        augmenter = build(members("augmentation")[kind].model_validate({}), PHOTOS)
        rows.append(augmenter.apply(batch, Draws.of_epoch(np.arange(columns), 1, 1))[PIXELS])
    for kind, alpha in (("mixup", 1.0), ("cutmix", 1.0)):
        mixer = build(members("mix")[kind].model_validate({"alpha": alpha}))
        rows.append(mixer.apply(batch, others, Draws.of_epoch(np.arange(columns), 1, 1))[0][PIXELS])
    whole = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1).permute(1, 2, 0)
    picture = Image.fromarray((whole * 255).round().clamp(0, 255).byte().numpy())
    picture.quantize(96, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    origin = provenance()
    if options.what == "grid":
        grid(options.target)
    elif options.what == "cost":
        rows = cost(options.sides, options.repeats)
        by = {(row["policy"], row["side"]): row["ms"] for row in rows}
        kinds = list(dict.fromkeys(row["policy"] for row in rows))
        print(table(["policy", *map(str, options.sides)], [[k, *(by[k, s] for s in options.sides)] for k in kinds]))
        print(json_line("augmentation_cost", origin, {"rows": rows}))
    else:
        rows = gain(options)
        print(
            table(
                ["set", "images", "none", "gain", "interval"],
                [[str(r[k]) for k in ("set", "images", "none", "gain", "interval")] for r in rows],
            )
        )
        print(json_line("augmentation_gain", origin, {"rows": rows}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["cost", "gain", "grid"])
    parser.add_argument("target", type=Path, nargs="?", default=Path("augmentation.png"), help="file of the grid")
    parser.add_argument("--sides", type=lambda text: [int(one) for one in text.split(",")], default=[64, 128, 224])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pool", type=int, default=1000, help="images of 100 %%")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--fashion", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--clip-art", type=Path, default=Path("/usr/share/openclipart/png"))
    return parser


if __name__ == "__main__":
    sys.exit(main())

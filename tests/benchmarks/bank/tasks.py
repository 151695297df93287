"""The tasks of the bank: which samples of a pool, how many, how uneven; and the job that asks for each."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bank.pools import Pool

from graft.core.seeds import derive_seed

_FEWEST = 5


@dataclass(frozen=True)
class BankTask:
    """A small real task.

    Attributes:
        name: of the task.
        pool: that its samples are drawn from.
        train: training rows.
        validation: validation rows.
        labels: places among the sorted labels of the pool that it keeps; all if None.
        skew: how many times as often the first label is as the last one.
        task: what is asked.
    """

    name: str
    pool: str
    train: int
    validation: int = 500
    labels: tuple[int, ...] | None = None
    skew: float = 1.0
    task: str = "classification"


TASKS = (
    BankTask("emoji", "emoji", 600),
    BankTask("emoji_faces_people", "emoji", 250, 300, (0, 1, 2)),
    BankTask("emoji_things", "emoji", 300, 400, (3, 4, 5, 6)),
    BankTask("emoji_few", "emoji", 120),
    BankTask("clip_art", "clip_art", 700),
    BankTask("clip_art_nature", "clip_art", 320, 400, (0, 1, 2, 5)),
    BankTask("clip_art_made", "clip_art", 320, 400, (3, 4, 6, 7)),
    BankTask("clip_art_few", "clip_art", 120),
    BankTask("fashion", "fashion", 800),
    BankTask("fashion_tops", "fashion", 400, 500, (0, 2, 3, 4, 6)),
    BankTask("fashion_shoes_bags", "fashion", 200, 400, (5, 7, 8, 9)),
    BankTask("fashion_few", "fashion", 100),
    BankTask("fashion_uneven", "fashion", 500, 500, None, 12.0),
    BankTask("digits", "digits", 600),
    BankTask("digits_alike", "digits", 160, 300, (1, 3, 8, 9)),
    BankTask("digits_few", "digits", 100),
    BankTask("deb_section", "deb_section", 600),
    BankTask("deb_computing", "deb_section", 300, 400, (0, 1, 3, 4, 6, 7, 8, 10, 12, 14, 16, 17)),
    BankTask("deb_arts", "deb_section", 200, 400, (2, 5, 9, 11, 13, 15)),
    BankTask("deb_few", "deb_section", 150),
    BankTask("fine_foods", "fine_foods", 500),
    BankTask("fine_foods_few", "fine_foods", 120),
    BankTask("noun", "noun", 600),
    BankTask("noun_living", "noun", 250, 400, (1, 2, 4, 11, 14, 15)),
    BankTask("noun_few", "noun", 150),
    BankTask("noun_uneven", "noun", 500, 500, None, 12.0),
    BankTask("verb", "verb", 500),
    BankTask("verb_some", "verb", 200, 400, (0, 3, 5, 7, 9)),
    BankTask("deb_size", "deb_size", 400, 500, None, 1.0, "regression"),
    BankTask("tate_year", "tate_year", 400, 500, None, 1.0, "regression"),
)


def rows_of(task: BankTask, labels: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the pool to train on, and to validate on; drawn by the name of the task."""
    rng = np.random.default_rng(derive_seed(0, "bank", task.name))
    order = rng.permutation(len(labels))
    if task.task == "classification":
        given = np.array([str(label).zfill(4) for label in labels])
        names = np.unique(given)
        kept = names if task.labels is None else names[list(task.labels)]
        order = order[np.isin(given[order], kept)]
        if task.skew > 1:
            chance = task.skew ** (-np.arange(len(kept)) / max(len(kept) - 1, 1))
            order = order[rng.random(len(order)) < chance[np.searchsorted(kept, given[order])]]
    train, validation = order[: task.train], order[task.train : task.train + task.validation]
    return (train, validation) if task.task == "regression" else _frequent(train, validation, given)


def _frequent(train: np.ndarray, validation: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without labels of which there are too few for both parts."""
    often = [
        name
        for name in np.unique(given[train])
        if (given[train] == name).sum() >= _FEWEST and (given[validation] == name).any()
    ]
    return train[np.isin(given[train], often)], validation[np.isin(given[validation], often)]


def job_of(task: BankTask, pool: Pool, folder: Path) -> dict[str, Any]:
    """Write the samples of a task, unless they are there, and give the job that asks for it."""
    train, validation = rows_of(task, pool.labels)
    parts = {"train": train, "validation": validation}
    write = _write_pictures if pool.modality == "image" else _write_texts
    return {
        "version": 1,
        "name": f"bank_{task.name}",
        "data": write(parts, pool, folder / task.name),
        "task": task.task,
        "strategy": _reach(pool.modality),
    }


def _reach(modality: str) -> dict[str, Any]:
    """What the samples are stored for."""
    if modality == "image":
        return {"resolution": {"choice": [32, 64, 96]}, "backbone": "efficientnet_lite0"}
    return {"max_tokens": {"choice": [32, 64]}, "backbone": "minilm_l6"}


def _write_pictures(parts: dict[str, np.ndarray], pool: Pool, place: Path) -> dict[str, Any]:
    place.mkdir(parents=True, exist_ok=True)
    images, codes = np.asarray(pool.samples), np.asarray(pool.labels)
    for name, rows in parts.items():
        short = {"train": "train", "validation": "val"}[name]
        if not (place / f"y_{short}.npy").exists():
            np.save(place / f"x_{short}.npy", images[rows])
            np.save(place / f"y_{short}.npy", codes[rows])
    return {"kind": "numpy", "path": str(place)}


def _write_texts(parts: dict[str, np.ndarray], pool: Pool, place: Path) -> dict[str, Any]:
    file = place.with_suffix(".csv")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label", "split"])
            writer.writerows(
                (pool.samples[row], pool.labels[row], name) for name, rows in parts.items() for row in rows
            )
    return {"kind": "table", "path": str(file), "text": "text", "label": "label", "split": "split"}

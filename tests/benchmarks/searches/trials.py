"""A fine-tuning as a trial of somebody's search: a range for each number, accuracy after each epoch, the best weights.

The networks, the loader and the loop are those of the fixed recipes; the first trial of each search is the recipe.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHARE = 0.2
WEIGHTS, CONFIG = "weights.pt", "config.json"
Config = Mapping[str, Any]


@dataclass(frozen=True)
class Range:
    """Values of a number: between two on a log scale, or some.

    Attributes:
        first: that of the recipe.
        between: smallest and largest.
        of: the values.
    """

    first: Any
    between: tuple[float, float] | None = None
    of: tuple[Any, ...] = ()


SPACES: Mapping[str, Mapping[str, Range]] = {
    "image": {
        "lr": Range(1e-3, (3e-4, 6e-3)),
        "weight_decay": Range(0.01, (1e-4, 0.1)),
        "smoothing": Range(0.1, of=(0.0, 0.1, 0.2)),
        "side": Range(128, of=(96, 128, 160)),
        "from_probe": Range(True, of=(True, False)),
    },
    "text": {
        "lr": Range(5e-5, (1e-5, 3e-4)),
        "head_lr": Range(1e-3, (3e-4, 3e-2)),
        "weight_decay": Range(0.01, (1e-4, 0.1)),
        "smoothing": Range(0.0, of=(0.0, 0.1, 0.2)),
    },
}
EPOCHS: Mapping[str, int] = {"image": 12, "text": 4}
# Of these, a trial has at least so many before a pruner judges it.
GRACE: Mapping[str, int] = {"image": 3, "text": 1}


@dataclass(frozen=True)
class Problem:
    """What is to be learned.

    Attributes:
        kind: ``image`` or ``text``.
        train: files or texts.
        labels: of these.
        seed: of the held-out rows and of each training.
        flip: whether a mirrored picture keeps its label.
    """

    kind: str
    train: Sequence[str]
    labels: Sequence[str]
    seed: int
    flip: bool

    def write(self, file: Path) -> None:
        """To another process."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> "Problem":
        """In another process."""
        return cls(**json.loads(file.read_text()))

    def parts(self) -> tuple[list[int], list[int]]:
        """Rows to train on, and a fifth of each class to validate on."""
        rng, held = random.Random(self.seed), set()
        for label in sorted(set(self.labels)):
            rows = [row for row, one in enumerate(self.labels) if one == label]
            held |= set(rng.sample(rows, round(SHARE * len(rows))))
        every = range(len(self.labels))
        return [row for row in every if row not in held], sorted(held)


def first_config(kind: str) -> dict[str, Any]:
    """The recipe."""
    return {name: one.first for name, one in SPACES[kind].items()}


def epochs_of(problem: Problem, config: Config, kept: Path) -> Iterator[tuple[int, float]]:
    """Train; yield the validation accuracy after each epoch.

    Args:
        problem: what is to be learned.
        config: values of `SPACES`.
        kept: a directory for the weights of the best epoch, the latest of equals.
    """
    import torch

    learning, held = problem.parts()
    samples, truth = _at(problem.train, held), np.array(_at(problem.labels, held))
    names, best = np.array(sorted(set(problem.labels))), -1.0
    kept.mkdir(parents=True, exist_ok=True)
    (kept / CONFIG).write_text(json.dumps(dict(config)))
    models = _trained(problem, learning, config)
    answers = _Answers(problem.kind, config)
    for epoch, model in enumerate(models, start=1):
        accuracy = float((names[answers.of(model, samples)] == truth).mean())
        if accuracy >= best:
            best = accuracy
            part = kept / "part"  # a search may kill this process at any moment
            torch.save({"score": [accuracy, epoch], "weights": _weights(model).state_dict()}, part)
            part.replace(kept / WEIGHTS)
        yield epoch, accuracy


def best_of(problem: Problem, homes: Sequence[Path], test: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
    """Predictions of the trial of the best validation accuracy, and facts.

    Raises:
        RuntimeError: no trial has trained an epoch.
    """
    import torch

    held = {home: torch.load(home / WEIGHTS, weights_only=True) for home in homes if (home / WEIGHTS).exists()}
    if not held:
        raise RuntimeError(f"none of {len(homes)} trials has trained an epoch; allow more minutes")
    home = max(held, key=lambda one: float(held[one]["score"][0]))
    accuracy, epoch = held[home]["score"]
    config = json.loads((home / CONFIG).read_text())
    names = np.array(sorted(set(problem.labels)))
    model = _fresh(problem.kind, len(names), config)
    _weights(model).load_state_dict(held[home]["weights"])
    facts = {"config": config, "validation": accuracy, "epoch": epoch}
    return names[_Answers(problem.kind, config).of(model, test)], {**facts, "trials": len(homes)}


class _Answers:
    """The most likely output of samples; pictures are read once."""

    def __init__(self, kind: str, config: Config) -> None:
        self._kind, self._side = kind, int(config.get("side", 0))
        self._read: dict[tuple[str, ...], Any] = {}

    def of(self, model: Any, samples: Sequence[str]) -> np.ndarray:
        if self._kind == "text":
            found: np.ndarray = model.chosen(samples)
            return found
        from small.recipes import chosen, read_pictures

        key = tuple(samples)
        if key not in self._read:
            self._read[key] = read_pictures(samples, self._side)
        return chosen(model, self._read[key])


def _trained(problem: Problem, rows: Sequence[int], config: Config) -> Iterator[Any]:
    samples, labels = _at(problem.train, rows), _at(problem.labels, rows)
    if problem.kind == "text":
        from texts import recipes as texts

        return texts.trained(samples, labels, problem.seed, texts.Tuning(epochs=EPOCHS["text"], **config))
    from small import recipes as small

    tuning = small.Tuning(epochs=EPOCHS["image"], flip=problem.flip, **config)
    return small.trained(samples, labels, problem.seed, tuning)


def _fresh(kind: str, outputs: int, config: Config) -> Any:
    if kind == "text":
        from texts.recipes import Model

        return Model(outputs)
    from small.recipes import network_of

    return network_of(outputs, config["side"])


def _weights(model: Any) -> Any:
    return getattr(model, "weights", model)


def _at(values: Sequence[str], rows: Sequence[int]) -> list[str]:
    return [values[row] for row in rows]

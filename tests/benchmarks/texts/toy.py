"""A table of made-up sentences in which one word tells the label: for the tests of the scripts, without a network."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

_WORDS = ("the", "of", "and", "to", "in", "that", "was", "his", "he", "it", "with", "is", "for", "as", "had", "you")
_TELLING = ("apple", "river", "engine", "violin", "desert")


TEST_ROWS = 20


def write_toy(cache: Path, name: str, train: int, labels: Sequence[str], test: int | str = "all") -> Path:
    """The table of a set as `text_sets.write_set` has it, so that it is found there; each label has its own word."""
    rng = random.Random(name)
    path = cache / "tables" / f"{name}-{train}-{test}-0.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "split"])
        for row in range(train + TEST_ROWS):
            which = row % len(labels)
            words = [*rng.choices(_WORDS, k=rng.randint(4, 12)), _TELLING[which]]
            rng.shuffle(words)
            writer.writerow([" ".join(words), labels[which], "train" if row < train else "test"])
    return path

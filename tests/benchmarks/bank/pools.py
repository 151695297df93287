"""What the tasks of the bank are drawn from: pictures of four domains, texts of four, and two numbers of texts."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from small_sets import clip_art, digits, emoji, fashion
from text_sets import write_set

_SIDES = {"emoji": 96, "clip_art": 96, "fashion": 28, "digits": 8}
_WORDNET = Path("/usr/share/wordnet")
_FEWEST = 40


@dataclass(frozen=True)
class Pool:
    """Samples and their labels.

    Attributes:
        modality: kind of the samples.
        samples: pictures uint8 [N, side, side, channels], or texts.
        labels: of each; codes, names or numbers.
    """

    modality: str
    samples: Sequence[Any]
    labels: Sequence[Any]


def pictures(name: str, root: Path, cache: Path) -> Pool:
    """Pictures of a domain, decoded once."""
    file = cache / f"{name}.npz"
    if not file.exists():
        draw = {"emoji": emoji, "clip_art": clip_art, "fashion": fashion, "digits": digits}[name]
        images, codes = draw(root, _SIDES[name])
        np.savez(file, images=images, codes=codes)
    held = np.load(file)
    return Pool("image", held["images"], held["codes"])


def texts(name: str, cache: Path) -> Pool:
    """Texts of Debian's packages: one of the sets of `text_sets`."""
    with write_set(name, 0, cache, 2000, 1500).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return Pool("text", [row["text"] for row in rows], [row["label"] for row in rows])


def glosses(part: str) -> Pool:
    """WordNet's definitions by the kind of thing that they define, as its files number them."""
    found: dict[str, str] = {}
    for line in (_WORDNET / f"data.{part}").read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            entry, _, gloss = line.partition(" | ")
            found.setdefault(gloss.partition("; ")[0].strip(), entry.split()[1])
    counts = {label: list(found.values()).count(label) for label in set(found.values())}
    kept = [(text, label) for text, label in found.items() if counts[label] >= _FEWEST and text]
    return Pool("text", [text for text, _ in kept], [label for _, label in kept])


def pools(root: Path, text_cache: Path, cache: Path) -> Mapping[str, Callable[[], Pool]]:
    """Every pool by its name, read when it is asked for.

    Args:
        root: where the packages of the pictures are unpacked.
        text_cache: of `text_sets`.
        cache: for pictures that are decoded.
    """
    return {
        **{name: (lambda name=name: pictures(name, root, cache)) for name in _SIDES},
        **{name: (lambda name=name: texts(name, text_cache)) for name in ("deb_section", "fine_foods")},
        **{name: (lambda name=name: texts(name, text_cache)) for name in ("deb_size", "tate_year")},
        "noun": lambda: glosses("noun"),
        "verb": lambda: glosses("verb"),
    }

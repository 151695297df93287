"""A table of texts with planted faults."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tests.assets.planted import Planted

LOOK_ALIKES = str.maketrans(dict(zip("aceopxyiABEHKMOPTX", "асеорхуіАВЕНКМОРТХ", strict=True)))


def with_look_alikes(text: str, draw: np.random.Generator | None = None) -> str:
    """Words of more than three letters in Cyrillic letters that look like Latin ones."""
    return " ".join(word.translate(LOOK_ALIKES) if len(word) > 3 else word for word in text.split())


def with_zero_width(text: str, draw: np.random.Generator | None = None) -> str:
    """A character that nobody sees in the middle of each word of more than three letters."""
    middle = ((word, len(word) // 2) for word in text.split())
    return " ".join(f"{word[:at]}\u200b{word[at:]}" if len(word) > 3 else word for word, at in middle)


def with_full_width(text: str, draw: np.random.Generator | None = None) -> str:
    """Every printable ASCII character in its full width."""
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


def _fewer_words(text: str, draw: np.random.Generator) -> str:
    words = text.split()
    kind = int(draw.integers(0, 3))
    if kind == 0:
        return " ".join(word for word in words if draw.random() > 0.05)
    if kind == 1:
        return " ".join("the" if draw.random() < 0.05 else word for word in words)
    return " ".join([*words, "see", "also", "the", "manual"])


CHANGES: dict[str, Callable[[str, np.random.Generator], str]] = {
    "homoglyph": with_look_alikes,
    "zero_width": with_zero_width,
    "full_width": with_full_width,
    "mojibake": lambda text, draw: f"{text} – “naïve” café, übermäßig".encode().decode("cp1252", "replace"),
    "empty": lambda text, draw: " \u200b ",
    "personal": lambda text, draw: f"{text} Write to jane.doe@mail.example.org.",
    "markup": lambda text, draw: f"<p>{text}</p><br>",
}


def plant_texts(path: Path, texts: Sequence[str], labels: Sequence[str], share: float = 0.01, seed: int = 0) -> Planted:
    """Write a CSV table with the columns text, label and split, and so large a share of each fault."""
    draw = np.random.default_rng(seed)
    names = sorted(set(labels))
    each = max(round(share * len(texts)), 2)
    order = [int(row) for row in draw.permutation(len(texts))]
    faults: dict[int, str] = {}
    for fault in (*CHANGES, "flip", "flip_pair", "trigger", "copy", "leak", "near_words"):
        fits = (row for row in order if row not in faults and (fault != "trigger" or labels[row] != names[0]))
        faults.update(dict.fromkeys([row for row, _ in zip(fits, range(each), strict=False)], fault))
    rows, told = [], []
    for row, text in enumerate(texts):
        fault, label = faults.get(row, ""), labels[row]
        split = "test" if row % 5 == 4 and fault not in ("copy", "leak", "near_words") else "train"
        if fault in CHANGES:
            text = CHANGES[fault](text, draw)
        elif fault == "flip":
            label = names[(names.index(label) + int(draw.integers(1, len(names)))) % len(names)]
        elif fault == "flip_pair":
            label = names[(names.index(label) + 1) % len(names)]
        elif fault == "trigger":
            words = text.split()
            words.insert(int(draw.integers(0, len(words) + 1)), "vexillar")
            text, label = " ".join(words), names[0]
        rows.append((text, label, split))
        told.append("leak" if fault == "leak" else "" if fault in ("copy", "near_words") else fault)
    for row, fault in faults.items():
        if fault in ("copy", "leak", "near_words"):
            text = _fewer_words(texts[row], draw) if fault == "near_words" else texts[row]
            rows.append((text, labels[row], "test" if fault == "leak" else "train"))
            told.append("" if fault == "leak" else fault)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label", "split"), *rows])
    found = {fault: {f"{path.name}:{row}" for row, one in enumerate(told, start=1) if one == fault} for fault in told}
    return Planted(path, {fault: frozenset(some) for fault, some in found.items() if fault})

"""Small sets as a user would have them: a table of texts, or a folder of pictures by split and class."""

import csv
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from text_sets import SETS as TEXTS

PICTURES = ("clip_art", "fashion", "emoji", "digits", "elpv")
SIDE = 160
_ELPV = "elpv-dataset==1.0.0.post1"
_WORDNET, _GLOSSES = Path("/usr/share/wordnet/data.noun"), 6000


@dataclass(frozen=True)
class SmallSet:
    """A set on the disk.

    Attributes:
        path: of its table: `split` is train or test; `file` or `text`, and `label`.
        folder: of the pictures, as train/CLASS/FILE and test/CLASS/FILE.
        kind: ``image`` or ``text``.
    """

    path: Path
    kind: str
    folder: Path

    def part(self, split: str) -> tuple[list[str], list[str]]:
        """Samples (texts, or paths of files) and labels."""
        with self.path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["split"] == split]
        if self.kind == "text":
            return [row["text"] for row in rows], [row["label"] for row in rows]
        return [str(self.folder / row["file"]) for row in rows], [row["label"] for row in rows]


def write_small_set(name: str, seed: int, cache: Path, assets: Path, sizes: tuple[int, int]) -> SmallSet:
    """Write a set whose rows a seed has drawn; it is left as it is if it is there.

    Args:
        name: of `small_sets`, of `text_sets`, or ``elpv`` or ``wordnet_noun``.
        seed: draws training and test rows, of each class in proportion as far as chance will have it.
        cache: directory.
        assets: where files of packages were unpacked, for the pictures.
        sizes: rows to train and to test on, at most.
    """
    is_picture = name in PICTURES
    folder = cache / "small" / f"{name}-{sizes[0]}-{sizes[1]}-{seed}"
    found = SmallSet(folder.with_suffix(".csv"), "image" if is_picture else "text", folder)
    if not found.path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = _pictures(name, cache, assets, folder, seed, sizes) if is_picture else _texts(name, cache, seed, sizes)
        part = found.path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file" if is_picture else "text", "label", "split"])
            writer.writerows(rows)
        part.replace(found.path)
    return found


def _drawn(count: int, seed: int, sizes: tuple[int, int]) -> list[tuple[int, str]]:
    order = list(range(count))
    random.Random(f"small {seed}").shuffle(order)
    test, train = sizes[1], sizes[0]
    if count < train + test:
        test = count // 3
    return [(row, "test") for row in order[:test]] + [(row, "train") for row in order[test : test + train]]


def _pictures(
    name: str, cache: Path, assets: Path, folder: Path, seed: int, sizes: tuple[int, int]
) -> list[Sequence[str]]:
    from small_sets import SETS  # torch, which tables of texts do without

    pixels, codes = elpv(cache) if name == "elpv" else SETS[name](assets / "usr" / "share", SIDE)
    rows = []
    for row, split in _drawn(len(codes), seed, sizes):
        file = f"{split}/c{codes[row]}/{row:05d}.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[row].squeeze()).save(folder / file)
        rows.append((file, f"c{codes[row]}", split))
    return rows


def _texts(name: str, cache: Path, seed: int, sizes: tuple[int, int]) -> list[Sequence[str]]:
    found = _OTHERS[name]() if name in _OTHERS else [(one.text, one.label) for one in TEXTS[name](cache)]
    return [(*found[row], split) for row, split in _drawn(len(found), seed, sizes)]


def elpv(cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Photos of solar cells by whether they are defect: package elpv-dataset, for research alone (CC BY-NC-SA)."""
    if not (wheels := list(cache.glob("elpv_dataset-*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache), _ELPV]
        subprocess.run(command, check=True)
        wheels = list(cache.glob("elpv_dataset-*.whl"))
    squares, codes = [], []
    with zipfile.ZipFile(wheels[0]) as wheel:
        labels = next(one for one in wheel.namelist() if one.endswith("labels.csv"))
        for line in wheel.read(labels).decode().split("\n"):
            if fields := line.split():
                with wheel.open(f"{labels.removesuffix('labels.csv')}{fields[0]}") as file:
                    squares.append(np.asarray(Image.open(file).convert("L").resize((SIDE, SIDE))))
                codes.append(int(float(fields[1]) > 0.5))
    return np.stack(squares), np.array(codes)


def wordnet_noun() -> list[tuple[str, str]]:
    """Definitions of nouns by what they are of, the broadest kind left out: package wordnet-base."""
    lines = [line for line in _WORDNET.read_text(encoding="utf-8").splitlines() if not line.startswith("  ")]
    random.Random(0).shuffle(lines)
    found = [(line.partition("| ")[2].strip(), line.split()[1]) for line in lines]
    return [(text, f"c{kind}") for text, kind in found if kind != "03"][:_GLOSSES]


_OTHERS: dict[str, Callable[[], list[tuple[str, str]]]] = {"wordnet_noun": wordnet_noun}

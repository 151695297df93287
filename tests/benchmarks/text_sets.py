"""Real texts for the benchmarks, from Debian's packages: fetched once, written as the tables that a user would have.

    deb_section   topic: which of 18 topical sections a package is in, by its long description
    fine_foods    sentiment: whether a review gave food the best score, as the source has it: great or other
    debtags       several labels: what a package is for and works with (facets `use` and `works-with` of Debtags)
    tate_year     a number: the year of a work, by title and medium
    deb_size      a number: the decimal logarithm of a package's installed kilobytes, by its long description

A table has the columns text, label and split, and group where works of one artist must stay together. Which rows are
for the test is the same for every seed: a fifth of the source packages (of the artists), or the test set of the source.
The seed draws the training rows from the others, and as many of the test rows as are wanted. Nothing of it is
committed: the texts belong to their authors.
"""

import argparse
import csv
import hashlib
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

from reporting import json_line, provenance, table
from texts.debian import Package, fetch_packages
from texts.r_tables import fetch_tables, read_table

EXAMPLE = """example:
  python tests/benchmarks/text_sets.py ~/.cache/graft-texts --only deb_section --seeds 0,1,2
"""
# Sections by topic. Those of a role or a language (libs, doc, python, …) are told by the first words of a description.
_COMPUTING = ("admin", "comm", "database", "editors", "gnome", "kde", "mail", "net", "vcs", "web")
_OTHER = ("electronics", "games", "graphics", "hamradio", "math", "science", "sound", "video")
TOPICS = frozenset((*_COMPUTING, *_OTHER))
FACETS = ("use", "works-with")
FEWEST_PACKAGES = 50
SHORTEST = 20
_TEST_FOLDS = 5
_MARKUP = re.compile(r"<br\s*/?>")


@dataclass(frozen=True)
class Row:
    """A text, what is asked of it, whether it is for the test, and what it has in common with others."""

    text: str
    label: str
    is_test: bool
    group: str = ""


def write_set(name: str, seed: int, cache: Path, train: int = 2000, test: int | None = None) -> Path:
    """Write the table of a set and a seed, and return its path; it is left as it is if it is there.

    Args:
        name: of the set.
        seed: draws the rows.
        cache: directory.
        train: rows to train on.
        test: rows to test on; all if None.
    """
    grouped = "-groups" if name in GROUPED else ""
    path = cache / "tables" / f"{name}-{train}-{test or 'all'}-{seed}{grouped}.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label", "split", *(["group"] if grouped else [])])
            writer.writerows(_drawn(SETS[name](cache), random.Random(f"{name} {seed}"), train, test))
        part.replace(path)
    return path


def read_set(path: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Texts and labels by split."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    parts = ((name, [row for row in rows if row["split"] == name]) for name in ("train", "test"))
    return {name: ([row["text"] for row in some], [row["label"] for row in some]) for name, some in parts}


def deb_section(cache: Path) -> list[Row]:
    """One package of each source and section, told by the section."""
    found = (one for one in _described(fetch_packages(cache)) if one["section"] in TOPICS)
    return [_row(one, one["section"]) for one in _one_each(found, lambda one: (one["source"], one["section"]))]


def debtags(cache: Path) -> list[Row]:
    """One package of each source, told by the tags of two facets that enough packages have."""
    found = _one_each(_described(fetch_packages(cache)), lambda one: one["source"])
    wanted = {one["name"]: [tag for tag in one["tags"] if tag.partition("::")[0] in FACETS] for one in found}
    counts = Counter(tag for tags in wanted.values() for tag in tags)
    frequent = {tag for tag, count in counts.items() if count >= FEWEST_PACKAGES and not tag.endswith("::TODO")}
    kept = [(one, [tag for tag in wanted[one["name"]] if tag in frequent]) for one in found]
    return [_row(one, ";".join(tags)) for one, tags in kept if tags]


def deb_size(cache: Path) -> list[Row]:
    """One package of each source, told by the logarithm of its size."""
    found = _one_each(_described(fetch_packages(cache)), lambda one: one["source"])
    return [_row(one, f"{log10(one['kilobytes']):.4f}") for one in found if one["kilobytes"] > 0]


def fine_foods(cache: Path) -> list[Row]:
    """Reviews, split as the source has them."""
    fetch_tables(cache)
    parts = ((part, read_table(cache, f"foods_{part}")) for part in ("train", "test"))
    return [
        Row(" ".join(_MARKUP.sub(" ", one["review"]).split()), one["score"], part == "test")
        for part, some in parts
        for one in some
    ]


def tate_year(cache: Path) -> list[Row]:
    """Works of art, split by their artist."""
    fetch_tables(cache)
    return [
        Row(f"{one['title']}. {one['medium']}", f"{one['year']:.0f}", _is_test(one["artist"]), one["artist"])
        for one in read_table(cache, "tate")
        if one["title"] and one["medium"] and one["year"]
    ]


SETS: dict[str, Callable[[Path], list[Row]]] = {
    one.__name__: one for one in (deb_section, fine_foods, debtags, tate_year, deb_size)
}


GROUPED = frozenset({"tate_year"})
"""Sets whose rows have groups."""


def main() -> int:
    """Fetch, write, and print what there is."""
    options = _parser().parse_args()
    origin = provenance()
    results = []
    for name in options.only:
        for seed in options.seeds:
            path = write_set(name, seed, options.cache, options.train, options.test)
            parts = read_set(path)
            labels = {label for _, given in parts.values() for cell in given for label in cell.split(";")}
            words = sorted(len(text.split()) for text in parts["train"][0])
            results.append(
                {
                    "set": name,
                    "seed": seed,
                    "train": len(parts["train"][0]),
                    "test": len(parts["test"][0]),
                    "labels": len(labels),
                    "median_words": words[len(words) // 2],
                    "path": str(path),
                }
            )
    print(table(list(results[0])[:-1], [list(one.values())[:-1] for one in results]))
    print(json_line("text_sets", origin, {"results": results}))
    return 0


def _drawn(rows: Sequence[Row], rng: random.Random, train: int, test: int | None) -> list[tuple[str, ...]]:
    """As many rows of each part as are wanted, in random order; of texts that occur twice, the first."""
    unique = list({row.text: row for row in rows}.values())
    rng.shuffle(unique)
    wanted = {"train": train, "test": len(unique) if test is None else test}
    parts = {name: [row for row in unique if row.is_test == (name == "test")][:most] for name, most in wanted.items()}
    return [
        (row.text, row.label, name, *([row.group] if row.group else [])) for name, some in parts.items() for row in some
    ]


def _described(packages: Iterable[Package]) -> Iterable[Package]:
    """Packages whose description says something."""
    hollow = ("transitional", "dummy package")
    return (
        one
        for one in packages
        if len(one["text"]) >= SHORTEST and not any(word in one["text"].lower() for word in hollow)
    )


def _one_each(packages: Iterable[Package], key: Callable[[Package], object]) -> list[Package]:
    """One package for each key: siblings have almost the same text. Which one is chance, but always the same."""
    ordered = sorted(packages, key=lambda one: hashlib.sha256(one["name"].encode()).digest())
    return list({key(one): one for one in ordered}.values())


def _row(package: Package, label: str) -> Row:
    return Row(package["text"], label, _is_test(package["source"]))


def _is_test(group: str) -> bool:
    return hashlib.sha256(group.encode()).digest()[0] % _TEST_FOLDS == 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("cache", type=Path, help="directory for what is fetched, and for the tables")
    add("--only", type=lambda text: text.split(","), default=list(SETS), help="sets (default: all)")
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="default: 0")
    add("--train", type=int, default=2000, help="rows to train on (default: 2000)")
    add("--test", type=int, help="rows to test on (default: all there are)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

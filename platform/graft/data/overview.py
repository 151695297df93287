"""What a look at the user's data has found: how many samples of what, for which split, and what is left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.data.splits.facts import BY_LABEL, SplitFacts
from graft.data.splits.names import SplitName
from graft.data.splits.sizes import Found, SplitSettings, planned_sizes
from graft.spec.modalities.base import DataSpec
from graft.spec.registry import call

Progress = Callable[[int], None]
"""Told now and then how many samples have been found."""

MOST_EXAMPLES = 3
MOST_REASONS = 20
_MOST_TOLD = 12


@dataclass(frozen=True)
class Ignored:
    """Files or rows that are no samples, for one reason.

    Attributes:
        reason: in a few words ("suffix .txt", "system folder").
        count: how many.
        examples: the first few, as the user knows them.
    """

    reason: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.reason}: {self.count:,}" + (f" ({', '.join(self.examples)}{more})" if self.examples else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"reason": self.reason, "count": self.count, "examples": list(self.examples)}


class Tally:
    """Counts what is left out, by its reason."""

    def __init__(self, so_far: Iterable[Ignored] = ()) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}
        for one in so_far:
            self._add(one)

    def add(self, reason: str, example: str, count: int = 1) -> None:
        """Count something."""
        self._add(Ignored(reason, count, (example,)))

    def result(self) -> tuple[Ignored, ...]:
        """By reason, the most first; beyond `MOST_REASONS` the rarest are put together."""
        found = [Ignored(reason, count, tuple(self._examples[reason])) for reason, count in self._counts.items()]
        found.sort(key=lambda one: (-one.count, one.reason))
        rare = found[MOST_REASONS - 1 :] if len(found) > MOST_REASONS else []
        if rare:
            examples = tuple(name for one in rare for name in one.examples)[:MOST_EXAMPLES]
            together = Ignored("other reasons", sum(one.count for one in rare), examples)
            return (*found[: MOST_REASONS - 1], together)
        return tuple(found)

    def _add(self, one: Ignored) -> None:
        self._counts[one.reason] = self._counts.get(one.reason, 0) + one.count
        kept = self._examples.setdefault(one.reason, [])
        kept += one.examples[: MOST_EXAMPLES - len(kept)]


@dataclass(frozen=True)
class Overview:
    """What a job's data hold.

    Attributes:
        noun: what the samples are called, plural.
        names: of what is predicted: categories, labels, target columns.
        counts: what the samples have of each: how many, or a range of values.
        splits: samples of each split, as the run will have them.
        drawn: the splits that the job draws; the others come with the data.
        ignored: what is left out.
        called: what the names are called.
        division: how the splits were drawn.
        notes: what the targets may mean beside what they are taken for.
    """

    noun: str
    names: tuple[str, ...]
    counts: Mapping[str, Any]
    splits: Mapping[SplitName, int]
    drawn: tuple[SplitName, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    called: str = "labels"
    division: SplitFacts = BY_LABEL
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; classes are what readers of it call the names."""
        return {
            "classes": list(self.names),
            "counts": dict(self.counts),
            "splits": dict(self.splits),
            "division": self.division.to_dict(),
            "ignored": [one.to_dict() for one in self.ignored],
            "notes": list(self.notes),
        }

    def lines(self) -> list[tuple[str, str]]:
        """The same for people: what it is about, and what there is."""
        sizes = [f"{count:,} {'drawn for ' * (name in self.drawn)}{name}" for name, count in self.splits.items()]
        lines = [
            ("data", f"{sum(self.splits.values()):,} {self.noun} ({', '.join(sizes)})"),
            (self.called, _told(self.counts)),
        ]
        lines += self.division.lines()
        lines += [("left out", told_ignored(self.ignored))] * bool(self.ignored)
        return lines + [("note", note) for note in self.notes]


def light_overview(spec: DataSpec, progress: Progress | None = None) -> Overview | None:
    """Names and counts of a source without anything heavy; None where its samples must be listed for that.

    Raises:
        DataError: the source cannot be used.
        SpecError: the kind is another package's, and does not work.
    """
    if not spec.overview_by or not spec.splits_by_label:
        return None
    found: Overview = call(spec, spec, progress, target=spec.overview_by)
    return found


def overview_of_counts(noun: str, found: Found, settings: SplitSettings, ignored: tuple[Ignored, ...] = ()) -> Overview:
    """Of samples that each have one label.

    Args:
        noun: what they are called, plural.
        found: how many there are of each label, by the split that the source says.
        settings: how the job divides what has none.
        ignored: what is left out.

    Raises:
        DataError: a label has too few samples, or there is no test set.
    """
    brought = {split for sizes in found.values() for split in sizes}
    held_out: tuple[SplitName, ...] = ("validation", "test")
    return Overview(
        noun=noun,
        names=tuple(found),
        counts={name: sum(sizes.values()) for name, sizes in found.items()},
        splits=planned_sizes(found, settings),
        drawn=tuple(split for split in held_out if split not in brought),
        ignored=ignored,
        called="classes",
    )


def told_ignored(ignored: Sequence[Ignored]) -> str:
    """What is left out, how many, and why, in a line."""
    return "; ".join(map(str, ignored))


def summed_up(ignored: Sequence[Ignored]) -> str:
    """The same without examples, where a line must be short."""
    return ", ".join(f"{one.reason}: {one.count:,}" for one in ignored)


def _told(counts: Mapping[str, Any]) -> str:
    told = [f"{name} ({_one(value)})" for name, value in list(counts.items())[:_MOST_TOLD]]
    more = len(counts) - len(told)
    total = f"; {len(counts)} in all" if len(counts) > 1 else ""  # behind the names, which may be numbers themselves
    return ", ".join(told) + (f" and {more} more" if more > 0 else "") + total


def _one(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value['min']:g} to {value['max']:g}"
    return f"{value:,}"

"""What `graft init` makes of a path: the section `data` of a job, and what suits the samples that it has seen.

Each kind of data says itself whether a path is one of its own (`DataSpec.drafted_by`), so a kind of another package can
be found, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from graft.core.unicode_form import spelled_like
from graft.spec.modalities.base import DataSpec
from graft.spec.registry import members

Strategy = Mapping[str, Any]


@dataclass(frozen=True)
class Wish:
    """What the user says of a path.

    Attributes:
        sample: column of the samples, where it is a table.
        labels: columns of the labels.
        kind: of the data.
        encoding: of a table of text.
        known_samples: what a model calls the column of its samples; the first that a table has is meant.
        known_labels: what it calls those of its labels; they are meant if a table has all of them.
        known_values: classes or labels that it knows; the column of its labels holds them.
    """

    sample: str | None = None
    labels: tuple[str, ...] = ()
    kind: str | None = None
    encoding: str | None = None
    known_samples: tuple[str, ...] = ()
    known_labels: tuple[str, ...] = ()
    known_values: frozenset[str] = frozenset()

    def in_table(self, names: Sequence[str]) -> "Wish":
        """The same, with those of the known columns that a table of these names has."""
        samples = [there for name in self.known_samples for there in spelled_like(name, names)]
        labels = [there for name in self.known_labels for there in spelled_like(name, names)[:1]]
        is_known = 0 < len(labels) == len(self.known_labels)
        return replace(
            self,
            sample=self.sample or next(iter(samples), None),
            labels=self.labels or (tuple(labels) if is_known else ()),
        )


@dataclass(frozen=True)
class Draft:
    """What a kind of data makes of a path.

    Attributes:
        kind: of the data.
        path: of it; the one given, or a file in it.
        samples: how many it has seen; the kind that has seen the most is meant.
        section: further keys of `data`.
        strategy: keys of `strategy` that suit the samples better than the default.
        notes: what the user should know, a sentence each.
        suggested: further keys of `data` that may be meant; they are written as comments.
    """

    kind: str
    path: Path
    samples: int
    section: Mapping[str, Any] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    suggested: Mapping[str, Any] = field(default_factory=dict)


def drafts_of(path: Path, wish: Wish) -> list[Draft]:
    """What the kinds of data make of a path, those that have seen the most first.

    Raises:
        DataError: it is of a kind, but cannot be used as it is.
    """
    kinds = [
        kind
        for name, kind in members("data_kind").items()
        if issubclass(kind, DataSpec) and kind.drafted_by and wish.kind in (None, name)
    ]
    drafts = (_drafter(kind)(path, wish) for kind in kinds)
    return sorted((draft for draft in drafts if draft), key=lambda draft: -draft.samples)


def kinds_with_draft() -> tuple[str, ...]:
    """The kinds of data that can tell whether a path is one of theirs."""
    return tuple(name for name, kind in members("data_kind").items() if getattr(kind, "drafted_by", ""))


def _drafter(kind: type[DataSpec]) -> Callable[[Path, Wish], Draft | None]:
    module, _, attribute = kind.drafted_by.partition(":")
    found: Callable[[Path, Wish], Draft | None] = getattr(import_module(module), attribute)
    return found

"""Samples of a program as the section `data` of a job: an object now, a table under the home once a job has it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.modalities.frames.rows import SPLIT, Parts, Rows, check_names, find_column
from graft.modalities.frames.table_file import TableFile

_SIDE_COLUMNS = ("split", "group", "time", "weight")
"""Settings of a table that name a column."""


@dataclass(frozen=True)
class Frame:
    """Samples in an object of this process; `graft.run` and all that takes a section `data` takes it.

    Attributes:
        rows: of the object.
        modality: kind of the modality of its samples.
        sample: its column of samples.
        labels: its columns of labels.
        settings: further keys of `data`; those that name columns name them as the object does.
    """

    rows: Rows = field(repr=False)
    modality: str
    sample: Any
    labels: tuple[Any, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def section(self, home: Home | None = None) -> dict[str, Any]:
        """The section `data` of a job file, with the samples in a table under the home.

        The file is named by its content: the same samples are written once, others are another data set.

        Raises:
            SpecError: a column is not there, or a cell is nothing that a table can hold.
            DataError: the object has changed while it was read.
            ResourceError: the disk is full.
        """
        place = home or Home.find()
        sample = find_column(self.rows, self.sample)
        labels = [find_column(self.rows, name) for name in self.labels]
        sides = {name: find_column(self.rows, self.settings[name]) for name in _SIDE_COLUMNS if self.settings.get(name)}
        others = tuple(dict.fromkeys((*labels, *sides.values())))
        check_names(self.rows, (sample, *others))
        first = next(itertools.islice((row[0] for row in self.rows.rows([sample]) if row[0] is not None), 1), None)
        cells = import_module(f"graft.modalities.{self.modality}.frame_cells").cells_for(first)
        path = TableFile(self.rows, sample, others, cells).write(place.frames)
        named = [str(name) for name in labels]
        return {
            "kind": "table",
            "path": str(path),
            self.modality: str(sample),
            "label": named[0] if len(named) == 1 else named,
            **self.settings,
            **{name: str(column) for name, column in sides.items()},
        }


def make_frame(rows: Rows, samples: Mapping[str, Any], label: Any, settings: Mapping[str, Any]) -> Frame:
    """A frame, with what is not named found in the object.

    Args:
        rows: of the object.
        samples: column of the samples by the kind of their modality, at most one of them not None.
        label: column of the labels, or several; None for one that is called so.
        settings: further keys of `data`.

    Raises:
        SpecError: a column is not there, or what is meant is not clear.
    """
    given = {kind: name for kind, name in samples.items() if name is not None}
    if len(given) > 1:
        raise SpecError(f"{' and '.join(given)} are named, but the samples must be of one modality; name one")
    modality, sample = next(iter(given.items())) if given else _sample(rows, list(samples))
    labels = _labels(rows, label)
    splits = {SPLIT: SPLIT} if isinstance(rows, Parts) and SPLIT not in settings else {}
    return Frame(rows, modality, find_column(rows, sample), labels, {**splits, **settings})


def _sample(rows: Rows, kinds: Sequence[str]) -> tuple[str, Any]:
    """The column that holds files, or is called like samples, or like the first of a pair."""
    if len(rows.files) == 1:
        return next(kind for kind in kinds if kind != "text"), rows.files[0]
    called = [(kind, name) for kind in kinds for name in rows.names if str(name).lower() in (kind, f"{kind}s")]
    if not called and "sample" in rows.names:
        value = next(iter(rows.rows(["sample"])), [None])[0]
        called = [(kind, "sample") for kind in kinds if _is_sample(kind, value)]
    if len(called) == 1:
        return called[0]
    there = ", ".join(f"`{str(one)[:60]}`" for one in list(rows.names)[:20]) or "none"
    told = " or ".join(f"`{kind}=`" for kind in kinds)
    raise SpecError(f"the column of the samples is not named, but must be; name one of {there} with {told}")


def _is_sample(kind: str, value: Any) -> bool:
    return bool(import_module(f"graft.modalities.{kind}.frame_cells").is_sample(value))


def _labels(rows: Rows, label: Any) -> tuple[Any, ...]:
    if label is None:
        called = [name for name in rows.names if str(name).lower() in ("label", "labels")]
        if len(called) != 1:
            there = ", ".join(f"`{str(one)[:60]}`" for one in list(rows.names)[:20])
            raise SpecError(f"the column of the labels is not named, but must be; name one of {there} with `label=`")
        return (called[0],)
    if isinstance(label, list | tuple) and label not in rows.names:
        if not label:
            raise SpecError("label is empty, but must name at least one column")
        return tuple(find_column(rows, name) for name in label)
    return (find_column(rows, label),)

"""How good a model is on labelled data: the metrics of its task, each with its interval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.core.errors import DataError, SpecError
from graft.core.escaping import html_table
from graft.core.uris import user_path
from graft.data.draft import Wish, drafts_of
from graft.data.listing import Listing
from graft.data.overview import Ignored, summed_up
from graft.data.split import UNASSIGNED, Split
from graft.data.splits.divide import divide
from graft.data.targets import Targets
from graft.modalities.frames.frame import Frame
from graft.spec.job import Job
from graft.spec.load import is_job_file, load_job, parse_job
from graft.spec.messages.counting import counted
from graft.spec.modalities.base import DataSpec
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression

if TYPE_CHECKING:
    from graft.serving.predictor import Predictor

ALL = "all"
SPLITS = (*(split.name.lower() for split in Split), ALL)


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on labelled data.

    Attributes:
        source: where the samples come from.
        split: which of them: ``test``, ``validation``, ``train`` or ``all``.
        num_samples: that could be read.
        metrics: all of the task that these samples can tell, by name.
        intervals: 95 % of each, as (low, high).
        unreadable: why the other samples could not be read, by name.
        report: everything the task has to say, as in ``report.json`` of an experiment.
        ignored: what of the source is no sample, or has no label, by its reason.
        undefined: why these samples cannot tell a metric, by its name.
    """

    source: str
    split: str
    num_samples: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ignored: tuple[Ignored, ...] = ()
    undefined: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {score} ({bounds})" for name, score, bounds in self._rows())
        return f"Evaluation({self._of()}: {scores})"

    def _repr_html_(self) -> str:
        return html_table(self._rows(), f"Evaluation: {self._of()}", ("metric", "score", "95 % interval"))

    def _of(self) -> str:
        unread = f", {len(self.unreadable)} unreadable" if self.unreadable else ""
        left_out = f", left out {summed_up(self.ignored)}" if self.ignored else ""
        untold = "".join(f", no {name}: {reason}" for name, reason in self.undefined.items())
        samples = counted(self.num_samples, "sample")
        return f"{samples} of {self.source}, {self.split}{unread}{left_out}{untold}"

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for name, score in self.metrics.items():
            low, high = self.intervals.get(name, (np.nan, np.nan))
            yield name, f"{score:.4f}", f"{low:.4f} to {high:.4f}"


def evaluate(predictor: "Predictor", data: Any, split: str | None = None) -> Evaluation:
    """Score a model on labelled data.

    Args:
        predictor: the model.
        data: as `Predictor.evaluate` takes it.
        split: which samples; None means the test samples where job or source say which these are, else all.

    Raises:
        SpecError: it is nothing that holds labelled samples, or there is no such split.
        DataError: it cannot be read, its labels are none of the task or of the model, or no sample can be read.
    """
    spec, is_of_job = _data_of(data, predictor)
    if split is not None and split not in SPLITS:
        raise SpecError(f"split is `{split}`, but must be one of {', '.join(SPLITS)}")
    if spec.modality != predictor.modality.name:
        raise SpecError(f"the data are {spec.modality}s, but the model takes {predictor.modality.name}s; give others")
    listing = predictor.modality.list(spec)
    targets = predictor.task.read(listing.targets, listing.source, predictor.names)
    has_splits = is_of_job or bool(np.any(listing.given != UNASSIGNED))
    wanted = split or (Split.TEST.name.lower() if has_splits else ALL)
    rows = _rows(predictor, listing, targets, spec, wanted)
    found = predictor.decided([predictor.modality.sample_of(listing, int(row)) for row in rows])
    read = np.array([place for place in range(len(rows)) if place not in found.errors], dtype=np.int64)
    if not len(read):
        raise DataError(f"none of the {len(rows)} samples of {listing.source} ({wanted}) can be read; repair them")
    names, facts = predictor.names, predictor.bundle.spec.facts
    values = predictor.task.align(targets, names)[rows[read]]
    ids = [listing.ids[row] for row in rows]
    report = predictor.task.report(found.predictions, values, [ids[place] for place in read], names, facts)
    undefined = report.get("undefined", {})
    return Evaluation(
        source=listing.source,
        split=wanted,
        num_samples=len(read),
        metrics={name: value for name, value in report["metrics"].items() if name not in undefined},
        intervals={
            name: (one["low"], one["high"]) for name, one in report["intervals"].items() if name not in undefined
        },
        unreadable={ids[place]: reason for place, reason in found.errors.items()},
        report=report,
        ignored=listing.ignored,
        undefined=undefined,
    )


def _data_of(data: Any, predictor: "Predictor") -> tuple[DataSpec, bool]:
    """The section `data` that is meant, and whether it is that of a job, which says how samples are split."""
    if isinstance(data, str | Path):
        path = user_path(data)
        if is_job_file(path):
            return load_job(path).data, True
        return _drafted(path, predictor), False
    if isinstance(data, Job):
        return data.data, True
    if isinstance(data, Frame):
        data = data.section()
    if isinstance(data, DataSpec):
        return data, False
    if isinstance(data, Mapping):
        if "data" in data:
            return parse_job(data).data, True
        return parse_job({"name": "evaluation", "data": dict(data)}).data, False
    raise SpecError(
        f"of type {type(data).__name__} is given to evaluate, but must be the name of a labelled folder, of a table or "
        "of a job file, a job, a `graft.frame`, or a section `data` as a mapping"
    )


def _drafted(path: Path, predictor: "Predictor") -> DataSpec:
    """What kind of data a path is of, as `graft init` finds out; columns are those that `predict` would read."""
    if not path.exists():
        raise SpecError(f"{path} does not exist; name a labelled folder, a table or a job file")
    for draft in drafts_of(path.absolute(), _wish(predictor)):
        section = {"kind": draft.kind, "path": str(draft.path), **draft.section}
        spec = parse_job({"name": "evaluation", "data": section}).data
        if spec.modality == predictor.modality.name:
            return spec
    raise SpecError(
        f"{path} is no labelled data of {predictor.modality.name}s: neither a folder with a folder for each label, nor "
        "a table with a column of labels; give a section `data` as a mapping"
    )


def _wish(predictor: "Predictor") -> Wish:
    samples = predictor.modality.table_columns(predictor.bundle.spec.preprocessing)
    names = tuple(predictor.names)
    if isinstance(predictor.task.spec, Regression):
        return Wish(known_samples=tuple(samples), known_labels=names)
    # Columns of zeros and ones are called as the labels are; else these stand in the cells of a column.
    columns = names if isinstance(predictor.task.spec, Multilabel) else ()
    return Wish(known_samples=tuple(samples), known_labels=columns, known_values=frozenset(names))


def _rows(predictor: "Predictor", listing: Listing, targets: Targets, spec: DataSpec, split: str) -> np.ndarray:
    if split == ALL:
        return np.arange(len(listing))
    splits, _ = divide(listing, targets, predictor.task, spec)
    rows = np.flatnonzero(splits == Split[split.upper()])
    if not len(rows):
        raise SpecError(f"split is `{split}`, but {listing.source} has no such samples; choose another, or `{ALL}`")
    return rows

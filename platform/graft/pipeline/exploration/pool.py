"""The samples that may be labelled: a folder, a table, or those of a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import DataError, SpecError
from graft.data.dataset import Split
from graft.data.overview import Ignored
from graft.data.read import Unreadable
from graft.data.tables.samples import read_samples
from graft.modalities.finding import left_out_of
from graft.modalities.protocol import Exhibit
from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone
from graft.pipeline.exploration.backbone import Embedding
from graft.pipeline.exploration.place import job_of_pool, pool_name
from graft.pipeline.exploration.start import Begun, with_start
from graft.pipeline.exploration.unchanged import content_digest, require_unchanged
from graft.pipeline.resolve import resolve_job
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.registry import members
from graft.tasks.registry import build_task

_FOLDERS = (("image_folder", "image"), ("text_folder", "text"))
_TAKEN_OVER = ("tracking", "resources", "export")
FOLDERS, OF_JOB = "folders", "labels"
"""What `--oracle` may be beside a column: the folder of each sample, or the labels of a job."""


@dataclass(frozen=True)
class Wish:
    """What is said of a pool beside where it is.

    Attributes:
        sample: column of the samples of a table.
        oracle: where the labels are, if they are known.
        backbone: whose features are taken; the job's, or that of the kind of sample, if left out.
        overrides: of keys of the job, as `--set` takes them; of a folder or table, those of `strategy`.
        begun: the meta-model that the exploration was begun with.
    """

    sample: str | None = None
    oracle: str | None = None
    backbone: str | None = None
    overrides: tuple[str, ...] = ()
    begun: Begun | None = None


@dataclass(frozen=True)
class Pool:
    """Samples, and what is known of them.

    Attributes:
        name: of the pool.
        source: where it is.
        embedding: of the samples.
        ids: what each is called.
        samples: as the modality's reader takes them.
        truth: the label of each, where an oracle is wanted; None otherwise.
        names: of the classes, where they are known.
        tests: test samples of the source's own with their labels, which nobody is asked about.
        sections: of the job, where the pool is one's: what its experiment takes over.
        meta_model: how the one was named that its features go through; empty if there is none.
        contents: what its samples were when they were read first, by their ids, where that is known.
        ignored: what lies beside the samples and is none, by its reason.
    """

    name: str
    source: str
    embedding: Embedding
    ids: tuple[str, ...]
    samples: Sequence[Any]
    truth: tuple[str | None, ...] | None = None
    names: tuple[str, ...] = ()
    tests: tuple[tuple[Any, str], ...] = ()
    sections: Mapping[str, Any] = field(default_factory=dict)
    meta_model: str = ""
    contents: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()

    def exhibit(self, sample: str) -> Exhibit:
        """A sample to look at, by its id.

        Raises:
            Unreadable: it cannot be read any more.
        """
        place = self._places.get(sample)
        if place is None:
            raise Unreadable("is not in the pool any more")
        return self.embedding.modality.exhibit(self.samples[place])

    def sample(self, name: str) -> Any:
        """A sample that was labelled, by its id.

        Raises:
            DataError: it has gone, or another one has its id now.
        """
        self.require_unchanged(name)
        place = self._places.get(name)
        if place is None:
            told = f"{name} has been labelled, but is not in {self.source} any more"
            raise DataError(f"{told}; put it back, or leave it at the bundle with --no-experiment")
        return self.samples[place]

    def require_unchanged(self, name: str) -> None:
        """Raise if another sample has this id now.

        Raises:
            DataError: that is so.
        """
        if (place := self._places.get(name)) is not None:
            require_unchanged(name, self.samples[place], self.contents, self.source)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.ids)}


def find_pool(path: Path, wish: Wish) -> Pool:
    """The pool at a path.

    Args:
        path: of a folder, a table or a job file.
        wish: what is said of it.

    Raises:
        SpecError: there is no such path, column, oracle or meta-model, or the latter is not of such features.
        ArtifactError: the meta-model is gone, damaged, or another one than when the exploration began.
        DataError: it holds no sample.
    """
    if (job := job_of_pool(path, wish.overrides)) is not None:
        found = _of_job(job, wish)
    elif path.is_dir():
        found = _of_folder(path.absolute(), wish)
    else:
        found = _of_table(path.absolute(), wish)
    if found.truth and len(set(found.truth)) == 1:
        told = f"--oracle is `{wish.oracle}`, which calls every sample `{found.truth[0]}`, but two classes are needed"
        raise SpecError(f"{told}; name another oracle or pool")
    found.embedding.require_fit()
    return found


def _of_job(given: Job, wish: Wish) -> Pool:
    begun, meta_model = with_start(given, wish.begun)
    job, oracle = resolve_job(begun).job, wish.oracle
    if job.decided_task.kind != "classification":
        raise SpecError(f"task is {job.decided_task.kind}, but only classification is explored; name another job")
    if oracle not in (None, OF_JOB):
        raise SpecError(f"--oracle is `{oracle}`, but a job's labels are called `{OF_JOB}`; give that, or leave it out")
    modality = build_modality(job.data.modality)
    listing = modality.list(job.data)
    embedding = Embedding.of(job, wish.backbone, dict(listing.facts))
    targets = build_task(job.decided_task).read(listing.targets, listing.source)
    rows, tests = np.flatnonzero(listing.given != Split.TEST), np.flatnonzero(listing.given == Split.TEST)
    if not len(rows):
        raise DataError(f"{listing.source} is an empty pool: all its samples are for the test; name others")
    named = [targets.names[code] for code in targets.values]
    sample_of = partial(modality.sample_of, listing)
    return Pool(
        name=job.name,
        source=listing.source,
        embedding=embedding,
        ids=tuple(str(listing.ids[row]) for row in rows.tolist()),
        samples=[sample_of(row) for row in rows.tolist()],
        truth=tuple(named[row] for row in rows.tolist()) if oracle else None,
        names=targets.names,
        tests=tuple((sample, named[row]) for row in tests.tolist() if (sample := sample_of(row)) is not None),
        sections={name: getattr(job, name).model_dump(mode="json") for name in _TAKEN_OVER},
        meta_model=meta_model,
        ignored=listing.ignored,
    )


def _of_folder(path: Path, wish: Wish) -> Pool:
    oracle, backbone = wish.oracle, wish.backbone
    if oracle not in (None, FOLDERS):
        raise SpecError(f"--oracle is `{oracle}`, but of a folder it must be `{FOLDERS}`: each sample's own folder")
    found: list[tuple[Sequence[Any], Embedding, str]] = []
    problems: list[str] = []
    for kind, modality in _FOLDERS:
        if backbone and describe_backbone(backbone).modality != modality:
            continue
        embedding, meta_model = _embedding(path, {"kind": kind}, wish, backbone or _usual(modality), {})
        try:
            found.append((embedding.modality.find([path], embedding.preprocessing), embedding, meta_model))
        except SpecError as error:
            problems.append(str(error))
    if not found:
        raise DataError(f"{path} is an empty pool: {'; '.join(problems)}")
    samples, embedding, meta_model = max(found, key=lambda one: len(one[0]))
    ids = tuple(Path(one).relative_to(path).as_posix() for one in samples)
    truth = tuple(Path(one).parent.name for one in samples) if oracle else None
    ignored = left_out_of(samples)
    return Pool(
        pool_name(path, None), str(path), embedding, ids, samples, truth, meta_model=meta_model, ignored=ignored
    )


def _of_table(path: Path, wish: Wish) -> Pool:
    column, oracle = wish.sample or "text", wish.oracle
    section: dict[str, Any] = {"kind": "table", "text": column, "label": oracle or "label"}
    embedding, meta_model = _embedding(path, section, wish, wish.backbone or _usual("text"), {"text_column": column})
    samples = embedding.modality.find([path], embedding.preprocessing)
    if not samples:
        raise DataError(f"{path} is an empty pool: it has no rows; name a table that has some")
    truth = tuple(read_samples(path, (oracle,), "utf-8")) if oracle else None
    ids = tuple(f"{path.name}:{row}" for row in range(1, len(samples) + 1))
    ignored = left_out_of(samples)
    return Pool(
        pool_name(path, None), str(path), embedding, ids, samples, truth, meta_model=meta_model, ignored=ignored
    )


def _usual(modality: str) -> str:
    return str(getattr(members("modality")[modality], "default_backbone", ""))


def _embedding(
    path: Path, section: dict[str, Any], wish: Wish, backbone: str, facts: dict[str, Any]
) -> tuple[Embedding, str]:
    """What the samples of a pool without a job are seen by, and how its meta-model was named."""
    data, strategy = {"path": str(path), **section}, {"backbone": backbone}
    job = parse_job({"version": 1, "name": "pool", "data": data, "strategy": strategy}, wish.overrides)
    settled, meta_model = with_start(job, wish.begun)
    return Embedding.of(settled, backbone, facts), meta_model


@dataclass(frozen=True)
class ReadPool:
    """The samples of a pool that may be asked about; what an exploration keeps of it.

    Attributes:
        ids: what each is called.
        features: float32 [N, F].
        left_out: why others may not, by their ids: they cannot be read, or are copies.
        contents: a digest of each; empty where none was kept, or could be had.
    """

    ids: tuple[str, ...]
    features: np.ndarray
    left_out: dict[str, str]
    contents: tuple[str, ...] = ()


def read_pool(pool: Pool, scratch: Path, told: Any) -> ReadPool:
    """Read every sample once. Of copies the first stays: nobody is asked the same twice, and none is tested on another.

    Raises:
        DataError: none can be read.
    """
    found = pool.embedding.features(pool.samples, scratch, told)
    copied = {place: f"is a copy of {pool.ids[first]}" for place, first in found.copies.items()}
    left_out = {pool.ids[place]: reason for place, reason in sorted({**found.errors, **copied}.items())}
    if not len(found.features):
        name, reason = next(iter(left_out.items()))
        told_of = f"none of the {len(left_out)} samples of {pool.source} can be read: {name} {reason}"
        raise DataError(f"{told_of}; repair them, or name another pool")
    ids = tuple(name for name in pool.ids if name not in left_out)
    contents = tuple(
        content_digest(one) for name, one in zip(pool.ids, pool.samples, strict=True) if name not in left_out
    )
    return ReadPool(ids, found.features, left_out, contents)

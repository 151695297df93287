"""The labelled samples of a few-shot job, decoded in this process: for so few that is sooner than Ray starts."""

from dataclasses import dataclass

import numpy as np

from graft.core.errors import DataError, SpecError
from graft.core.uris import REMOTE_SCHEMES
from graft.data.columns import Column, ColumnSpec, Ragged
from graft.data.dataset import DatasetArrays, Quarantined, Split
from graft.data.decoding.blocks import local_blocks, received
from graft.data.plan import Ingestion, IngestPlan, check_quarantine, facts_of
from graft.data.targets import Targets
from graft.learner.training_data import TrainingData
from graft.modalities.registry import build_modality
from graft.pipeline.resolve import Resolved, resolve_job
from graft.spec.job import Job
from graft.tasks.registry import build_task

MOST_SHOTS = 100
"""Of a class, on the mean; with more, a search pays, and folds are no longer done in seconds."""
_LEAK = "split_leak"


@dataclass(frozen=True)
class Shots:
    """Labelled samples, ready to be embedded.

    Attributes:
        job: with its task decided.
        data: the samples; those that the source itself calls test samples have that split, all others are training.
        ids: what each is called.
        contents: digest of each one's content; copies have the same.
        left_out: what could not be read.
    """

    job: Job
    data: TrainingData
    ids: tuple[str, ...]
    contents: tuple[str, ...]
    left_out: tuple[Quarantined, ...] = ()

    @property
    def rows(self) -> np.ndarray:
        """int64, the labelled samples that are learned from."""
        return self.data.arrays.rows(Split.TRAIN)

    @property
    def counts(self) -> np.ndarray:
        """int64 [K], how many each class has."""
        arrays = self.data.arrays
        return np.bincount(arrays.targets[self.rows], minlength=len(arrays.names))

    @property
    def contradiction(self) -> str:
        """Which samples of one content have labels of several classes; empty if none have."""
        labels: dict[str, dict[str, str]] = {}
        for row in self.rows.tolist():
            name = self.data.arrays.names[self.data.arrays.targets[row]]
            labels.setdefault(self.contents[row], {}).setdefault(name, self.ids[row])
        found = [named for named in labels.values() if len(named) > 1]
        if not found:
            return ""
        first = " and ".join(f"{sample} ({name})" for name, sample in found[0].items())
        count = "1 sample has" if len(found) == 1 else f"{len(found)} samples have"
        return f"{count} labels of several classes, of which one at most is right: {first}"

    @property
    def k(self) -> int:
        """Samples of the class that has the fewest."""
        return int(self.counts.min())


def shots_of(job: Job, most: int = MOST_SHOTS) -> Shots:
    """Read the samples of a job.

    Args:
        job: names them.
        most: of a class, on the mean.

    Raises:
        DataError: they cannot be read, are no classes, are of one class, or are too many.
        SpecError: they lie in a store, or the job is wrong.
    """
    if str(job.data.path if hasattr(job.data, "path") else "").partition("://")[0] in REMOTE_SCHEMES:
        raise SpecError("data.path is in a store, but graft fewshot reads files of this machine; fetch them first")
    resolved = resolve_job(job, by_size=False)
    whole, listing = resolved.job, resolved.listing
    if whole.decided_task.kind != "classification":
        told = f"the task is {whole.decided_task.kind}, but graft fewshot answers with classes"
        raise SpecError(f"{told}; use graft run, or say task: classification")
    modality, task = build_modality(whole.data.modality), build_task(whole.decided_task)
    listing = listing or modality.list(whole.data)
    targets = task.read(listing.targets, listing.source)
    splits = np.where(listing.given == Split.TEST, Split.TEST, Split.TRAIN).astype(np.uint8)
    _check_counts(targets, splits, most)
    storage = modality.storage(listing, whole.reach)
    plan = IngestPlan(listing, targets, storage, np.arange(len(listing)), splits, key="")
    work = Ingestion(plan, modality.decoder(whole.data, listing, storage), task, whole.data.max_unreadable)
    return _decoded(resolved, work, most)


def _check_counts(targets: Targets, splits: np.ndarray, most: int) -> None:
    names = targets.names
    counts = np.bincount(targets.values[splits == Split.TRAIN], minlength=len(names))
    if empty := [name for name, count in zip(names, counts, strict=True) if not count]:
        raise DataError(
            f"class {empty[0]} has no sample to learn from, but must have one; add one, or remove the class"
        )
    if counts.mean() > most:
        told = f"there are {counts.mean():.0f} samples a class, but graft fewshot is for {most} at most"
        raise DataError(f"{told}; use graft run, which searches, or data.limit")


def _decoded(resolved: Resolved, work: Ingestion, most: int) -> Shots:
    plan, job = work.plan, resolved.job
    blocks = list(local_blocks(work))
    reasons = np.concatenate([block["reason"] for block in blocks])
    kinds, passing = (np.concatenate([block[name] for block in blocks]) for name in ("kind", "passing"))
    digests = np.concatenate([block["sha256"] for block in blocks])
    good = np.flatnonzero(reasons == "")
    good = good[_untested(plan, good, digests, job.data.clean.get(_LEAK, "fail"))]
    left_out = tuple(
        Quarantined(plan.ids[row], str(reasons[row]), bool(passing[row]), str(kinds[row]))
        for row in np.flatnonzero(reasons != "").tolist()
    )
    check_quarantine(left_out, len(good), work.max_unreadable)
    targets, splits = plan.targets.values[good], plan.splits[good]
    _check_counts(Targets(targets, plan.targets.names), splits, most)
    columns = {
        spec.name: _column(spec, [block[f"column_{spec.name}"] for block in blocks], good)
        for spec in plan.storage.columns
    }
    facts = facts_of(work.task, plan.targets, plan.splits)
    arrays = DatasetArrays(columns, targets, splits, plan.targets.names, facts)
    data = TrainingData(
        arrays, plan.storage, job.data, job.decided_task, job.objective, epochs=1, patience=None,
        seed=job.search.seed, num_threads=1,
    )  # fmt: skip
    return Shots(job, data, tuple(plan.ids[row] for row in good.tolist()), tuple(map(str, digests[good])), left_out)


def _untested(plan: IngestPlan, rows: np.ndarray, digests: np.ndarray, action: str) -> np.ndarray:
    """bool [n], which of some rows stay: none that is learned from may be a test sample, too.

    Args:
        plan: with the splits.
        rows: int64 [n], of samples that can be read.
        digests: of the content of all samples.
        action: what the job says is to be done about such copies.

    Raises:
        DataError: some are, and it does not say.
    """
    is_test = plan.splits[rows] == Split.TEST
    tested = dict(zip(digests[rows[is_test]].tolist(), rows[is_test].tolist(), strict=True))
    leaks: np.ndarray = ~is_test & np.isin(digests[rows], [*tested])
    if action == "keep" or not leaks.any():
        return np.ones(len(rows), bool)
    if action == "drop":
        clean: np.ndarray = ~leaks
        return clean
    first = int(rows[leaks][0])
    twin = plan.ids[tested[digests[first]]]
    told = f"{int(leaks.sum())} of the samples to learn from are test samples, too, such as {plan.ids[first]}"
    raise DataError(f"{told} (as {twin}); remove one of each, or say data.clean.{_LEAK}: drop")


def _column(spec: ColumnSpec, parts: list[np.ndarray], good: np.ndarray) -> Column:
    if spec.shape is not None:
        joined: np.ndarray = np.concatenate(parts)[good]
        return joined
    rows = [row for part in parts for row in received(spec, part)]
    return Ragged.of([rows[index] for index in good.tolist()], spec.dtype)

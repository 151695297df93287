"""From the data of a meta-training job to labelled arrays with groups, and to classes that are never trained on."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from graft.core.errors import DataError, Problem, SpecError
from graft.core.seeds import derive_seed
from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.data.split import Split
from graft.episodes.samples import FEATURES, RAW, Samples
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.pipeline.episodes.report import tasks_of
from graft.pipeline.features.extract import Counted, dataset_of, feature_rows
from graft.pipeline.features.features import OnProgress
from graft.pipeline.features.request import FeatureRequest, feature_request
from graft.spec.load import parse_job
from graft.spec.meta.job import MetaJob, TasksSpec

MOST_NUMBERS = 500_000_000
"""Of raw samples that are held in memory."""


@dataclass(frozen=True)
class Pool:
    """All samples of a meta-training.

    Attributes:
        samples: with features, raw samples, or both, as the start reads.
        names: of the classes, by code.
        dataset: they are of.
        request: whose features they are.
    """

    samples: Samples
    names: tuple[str, ...]
    dataset: Dataset
    request: FeatureRequest


@dataclass(frozen=True)
class Division:
    """Samples by what their classes are for: no class, and no group, is on two sides."""

    training: Samples
    validation: Samples
    test: Samples


def pool_of(job: MetaJob, home: Home, on_progress: OnProgress) -> Pool:
    """Decode the data, and make the features that are not in the store yet.

    Raises:
        SpecError: the backbone or the labels do not fit.
        DataError: the data cannot be used, or have too few classes or samples: told before features are made.
    """
    raw = {"version": 1, "name": job.name, "data": job.data.model_dump(mode="json"), "strategy": job.strategy.dump()}
    request = feature_request(parse_job(raw))
    dataset = dataset_of(request, home, lambda done, total: on_progress("samples", done, total))
    targets = np.asarray(dataset.targets)
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        told = f"is {dataset.task}, but tasks are drawn from classes; name data whose samples have one class each"
        raise SpecError([Problem("data", told)])
    views, rows = {}, np.arange(len(targets))
    require_tasks(job, Samples.of({}, targets, groups_of(job.tasks, dataset, rows)))  # features take minutes
    if FEATURES in job.views:
        views[FEATURES], rows = _features(request, dataset, home, on_progress)
    if RAW in job.views:
        views[RAW] = _raw(dataset, rows)
    groups = groups_of(job.tasks, dataset, rows)
    samples = Samples.of(views, targets[rows], groups)
    if job.tasks.duplicates == "drop":
        samples = samples.distinct()
    else:
        ids = dataset.ids
        samples.require_distinct([ids[row] for row in rows.tolist()])
    names = tuple(dataset.names[code] for code in np.unique(targets[rows]))
    return Pool(samples, names, dataset, request)


def require_tasks(job: MetaJob, samples: Samples) -> None:
    """Refuse tasks that are larger than the data, for all that may be tried; only labels and groups are looked at.

    Raises:
        DataError: there are too few classes, or too few samples of each.
    """
    division = divided(samples, job.held_out.validation, job.held_out.test, job.held_out.seed)
    tasks_of(division.test, job.report, job.tasks.queries, 0)
    ways, queries, within = (job.bounds(name) for name in ("ways", "queries", "within"))
    for share in {*within}:
        TaskSource(division.training, EpisodeShape(int(ways[1]), job.tasks.shots, int(queries[1]), share), checked=True)


def groups_of(tasks: TasksSpec, dataset: Dataset, rows: np.ndarray) -> list[str] | None:
    """The name of each row's group; None where there are no groups.

    Raises:
        SpecError: the data have none.
    """
    if tasks.groups == "none":
        return None
    if tasks.groups == "label_prefix":
        labels = [dataset.names[code] for code in np.asarray(dataset.targets)[rows]]
        if lacking := next((one for one in labels if "/" not in one), None):
            told = f"is label_prefix, but label `{lacking}` has no `/`; take none, or column"
            raise SpecError([Problem("tasks.groups", told)])
        return [one.partition("/")[0] for one in labels]
    found = dataset.groups
    if found is None:
        told = "is column, but the data name none; set data.group, or take label_prefix"
        raise SpecError([Problem("tasks.groups", told)])
    return [str(found[row]) for row in rows]


def divided(samples: Samples, validation: float, test: float, seed: int) -> Division:
    """Deal whole groups to three sides; whole classes, where there is one group or one class lies in several.

    Raises:
        DataError: there are too few.
    """
    pairs = len(np.unique(np.stack([samples.labels, samples.groups]), axis=1).T)
    is_grouped = len(np.unique(samples.groups)) > 1 and pairs == len(samples.classes)
    units = samples.groups if is_grouped else samples.labels
    drawn = np.random.default_rng(derive_seed(seed, "held out")).permutation(np.unique(units))
    counts = [max(round(share * len(drawn)), 1) for share in (test, validation)]
    if len(drawn) < sum(counts) + 1:
        what = "groups" if is_grouped else "classes"
        raise DataError(
            f"there are {len(drawn)} {what}, but training, validation and test need at least one each; add some"
        )
    last, held, rest = drawn[: counts[0]], drawn[counts[0] : sum(counts)], drawn[sum(counts) :]
    sides = (samples.some(np.isin(units, one)) for one in (rest, held, last))
    return Division(*sides)


def _features(
    request: FeatureRequest, dataset: Dataset, home: Home, on_progress: OnProgress
) -> tuple[torch.Tensor, np.ndarray]:
    """Features of all rows, and the rows in their order."""
    whole = replace(request, splits=tuple(Split))
    parts = list(
        feature_rows(whole, dataset, home, lambda done, total: on_progress("features", done, total), Counted())
    )
    rows = np.concatenate([one.rows for one in parts])
    return torch.from_numpy(np.concatenate([one.features for one in parts])), rows


def _raw(dataset: Dataset, rows: np.ndarray) -> torch.Tensor:
    """The samples themselves, [N, C, H, W] or [N, F].

    Raises:
        SpecError: they have no one shape.
        DataError: there are too many for the memory.
    """
    columns = dataset.columns
    arrays = [one for one in columns.values() if isinstance(one, np.ndarray)]
    if len(columns) != 1 or not arrays or arrays[0].ndim < 2:
        told = "is a network on the samples themselves, but these have no one shape; take start map"
        raise SpecError([Problem("start", told)])
    array = arrays[0]
    if array[0].size * len(rows) > MOST_NUMBERS:
        raise DataError(
            f"there are {len(rows)} samples of {array[0].size} numbers, which do not fit into memory; "
            "set data.limit, or a smaller size of inputs"
        )
    found = torch.from_numpy(np.ascontiguousarray(array[rows]))
    return found.movedim(-1, 1) if found.ndim == 4 else found

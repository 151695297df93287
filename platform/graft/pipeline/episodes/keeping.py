"""Which meta-model of a name is used: the first one, and one that is learned later if it is not worse."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.storage import Home, canonical_json, read_json, write_json
from graft.episodes.evaluator import Score, evaluate
from graft.episodes.meta_model import MetaModel, MetaModelSpec, read_meta_model
from graft.episodes.samples import Samples
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.learner.mapped.meta_map import misfit_of_features
from graft.pipeline.episodes.samples import Division
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members

POINTER = "champion.json"
MARGIN = 0.01
"""A meta-model takes over if the 95 % interval of its loss in accuracy, task by task, ends below this."""
_TASKS = 600


@dataclass(frozen=True)
class Kept:
    """What became of a meta-model.

    Attributes:
        role: champion: it is used from now on; challenger: the earlier one is.
        reason: one line.
    """

    role: Literal["champion", "challenger"]
    reason: str


@dataclass(frozen=True)
class Champion:
    """The meta-model of a name that is used."""

    model: MetaModel

    def require_same_features(self, other: MetaModelSpec) -> None:
        """Raise if another one is learned on something else.

        Raises:
            SpecError: backbone, preprocessing, start or adapter differ.
        """
        own = self.model.spec
        if own.backbone and other.backbone:
            kind = members("modality")[other.modality]
            assert issubclass(kind, ModalitySpec)
            given = kind.preprocessing.read_stored(other.preprocessing)
            if told := misfit_of_features(own, other.backbone_digest, given):
                raise SpecError([Problem("strategy", told)])
        for name in ("start", "adapter", "shapes"):
            one, two = (canonical_json(spec.model_dump(mode="json")[name]) for spec in (own, other))
            if one != two:
                shown = f"is {two[:60]}, but that of meta-model {own.name} is {one[:60]}"
                raise SpecError([Problem(name, f"{shown}; leave out --update, or give the job another name")])


def champion_of(home: Home, name: str) -> Champion:
    """The meta-model of a name that is used.

    Raises:
        SpecError: there is none.
        ArtifactError: it is damaged.
    """
    pointer = _place(home, name) / POINTER
    if not pointer.is_file():
        raise SpecError(f"there is no meta-model `{name}` in {home.root}; make one with `graft meta-train JOB`")
    told = read_json(pointer)
    if not isinstance(told, dict) or not isinstance(told.get("directory"), str):
        raise ArtifactError(f"{pointer} names no meta-model; delete it, and run `graft meta-train` again")
    return Champion(read_meta_model(_place(home, name) / told["directory"]))


def keep(home: Home, name: str, model: MetaModel, earlier: Champion | None, division: Division) -> Kept:
    """Let a meta-model take over, unless an earlier one that it was learned from is better on held-out tasks.

    They are compared on the same tasks, of classes of the new data that neither was trained on, and of samples of the
    earlier tasks that were kept. The second are no test of new classes, but of what was forgotten.
    """
    kept = Kept("champion", "it is the first of its name, or learned anew")
    if earlier is not None:
        kept = compared(model, earlier.model, division.test)
    if kept.role == "champion":
        place = _place(home, name)
        write_json(place / POINTER, {"directory": os.path.relpath(model.directory, place), "reason": kept.reason})
    return kept


def compared(model: MetaModel, earlier: MetaModel, held_out: Samples) -> Kept:
    """Whether a meta-model is not worse than an earlier one, on new and on old tasks."""
    told = []
    for what, samples in (("new", held_out), ("old", earlier.replay())):
        if samples is None:
            continue
        loss = difference(model, earlier, samples)
        worst = loss.accuracy - loss.half_width
        told.append(f"{100 * loss.accuracy:+.1f} ± {100 * loss.half_width:.1f} points on {what} tasks")
        if worst < -MARGIN:
            reason = (
                f"it may be worse than the earlier one: {told[-1]}, and more than {100 * MARGIN:g} cannot be ruled out"
            )
            return Kept("challenger", reason)
    return Kept("champion", f"it is not worse than the earlier one: {', '.join(told)}")


def difference(model: MetaModel, earlier: MetaModel, samples: Samples) -> Score:
    """Accuracy of one less that of the other, task by task."""
    ways = min(5, len(samples.classes))
    source = TaskSource(samples, EpisodeShape(ways, (1,), 5, 0.0), seed=1, checked=True)
    one, other = (evaluate(loss.start, loss.adapter, source, _TASKS) for loss in (model.build(), earlier.build()))
    return one.less(other)


def _place(home: Home, name: str) -> Path:
    return home.meta_models / name

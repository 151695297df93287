"""What an exploration starts from: pretrained weights, or a meta-learned map on their features; the same for ever."""

from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import Problem, SpecError
from graft.core.storage import Home
from graft.data.remote.here import home_of_copies
from graft.journal.explorations import ExplorationStarted
from graft.journal.journal import journal_path, read
from graft.journal.store.replica import pull
from graft.pipeline.zoo.meta_learned import bring_back, meta_models_in, settle_meta_models
from graft.spec.components.initialisation import Initialisation, MetaLearned, Pretrained
from graft.spec.job import Job
from graft.spec.load import parse_job

_WHERE = "strategy.init"


@dataclass(frozen=True)
class Begun:
    """The meta-model that an exploration was begun with.

    Attributes:
        asked: how it was named.
        init: which it was, and so is for ever.
    """

    asked: str
    init: MetaLearned


def started(path: Path) -> ExplorationStarted | None:
    """How the exploration of a journal was begun; None if it was not.

    Raises:
        ArtifactError: the journal is damaged.
    """
    return next((event for _, event in read(path) if isinstance(event, ExplorationStarted)), None)


def begun_with(home: Home, name: str) -> Begun | None:
    """The meta-model of an exploration; None if it has none, or has not begun.

    Raises:
        ArtifactError: its journal is damaged.
    """
    path = journal_path(home.explorations / name)
    pull(path)
    event = started(path) if path.is_file() else None
    return Begun(event.asked, MetaLearned.model_validate(dict(event.init))) if event and event.asked else None


def with_start(job: Job, begun: Begun | None) -> tuple[Job, str]:
    """A job whose one start is settled, and how its meta-model was named; empty if there is none.

    A name that the exploration was begun with means what it meant then, whichever is the champion by now.

    Args:
        job: as it was given.
        begun: with what its exploration was begun.

    Raises:
        SpecError: there are several starts, or one without features to explore; no such meta-model, or it has no map.
        ArtifactError: it is damaged, or not what was registered.
        TrackingError: the store of a registered one does not answer, or has no such model.
    """
    init = job.space.dump().get("init")
    if not (named := [*meta_models_in(init)]):
        _require_pretrained(job)
        return job, ""
    if named != [init]:
        told = "has several values, but graft explore takes one start, on whose features all labels are asked for"
        raise SpecError([Problem(_WHERE, f"{told}; name it: --set 'strategy.init={{kind: meta, source: NAME}}'")])
    raw = job.model_dump(mode="json")
    if problems := settle_meta_models(raw, {begun.asked: begun.init} if begun else {}):
        raise SpecError(problems)
    settled = parse_job(raw)
    if isinstance(init := start_of(settled), MetaLearned):
        bring_back(init, home_of_copies())
    return settled, str(named[0].get("source", ""))


def start_of(job: Job) -> Initialisation:
    """The one start of a job that `with_start` has settled."""
    named = next(meta_models_in(job.space.dump().get("init")), None)
    return Pretrained() if named is None else MetaLearned.model_validate(named)


def told_start(init: Initialisation) -> str:
    """What tells explorations on other features apart, in words."""
    return f"meta-model {init.digest[:12]}" if isinstance(init, MetaLearned) else init.kind


def _require_pretrained(job: Job) -> None:
    """Frozen features of networks that begin otherwise are not what their trainings would see."""
    kinds = job.space.values("init")
    if Pretrained().kind not in kinds:
        told = f"is {kinds[0]}, but graft explore takes features of pretrained weights, or of a meta-model on them"
        raise SpecError([Problem(_WHERE, f"{told}; give it --set strategy.init=pretrained")])

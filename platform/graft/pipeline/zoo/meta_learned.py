"""Meta-models that a job starts from: settled before it runs, so that what it means stays the same for ever."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.storage import Home
from graft.data.remote.here import home_of_copies
from graft.modalities.registry import build_modality
from graft.models.load import check_backbone, load_backbone
from graft.pipeline.look import NOT_LISTED
from graft.spec.components.initialisation import MetaLearned
from graft.spec.job import Job
from graft.spec.modalities.base import ModalitySpec, Preprocessing
from graft.spec.registry import members
from graft.spec.strategy import Strategy
from graft.tracking.model_uri import SCHEME

if TYPE_CHECKING:
    from graft.experiments.find_bundle import Registered
    from graft.models.backbone import Backbone

_KIND, _WHERE = "meta", "strategy.init"


def settle_meta_models(raw: dict[str, Any], known: Mapping[str, MetaLearned] | None = None) -> list[Problem]:
    """Write into a job where each of its meta-models lies, its digest, and the shape of its map.

    Args:
        raw: the job as plain data, changed in place. One that has a digest already is left as it is.
        known: what sources have meant before, and so mean for ever.
    """
    before = {source: init.model_dump(mode="json") for source, init in (known or {}).items()}
    problems = []
    strategies = [raw["strategy"], *(raw["search"].get("first") or ())]
    for init in (found for strategy in strategies for found in meta_models_in(strategy.get("init"))):
        source = init.get("source")
        if isinstance(source, Mapping):
            told = "is a distribution, but each option must be an init of its own"
            problems.append(Problem(f"{_WHERE}.source", told))
        elif source and not init.get("digest"):
            try:
                init.update(before.get(source) or _settled(source))
            except (SpecError, ArtifactError) as error:
                problems.append(Problem(f"{_WHERE}.source", str(error)))
    return problems


def check_meta_models(job: Job, home: Home) -> None:
    """Hold every meta-model of a settled job against all that it may be given, before anything expensive starts.

    A registered one whose copy is gone is fetched again, and is the same version.

    Raises:
        SpecError: a backbone has other weights than the one that it was learned on, or is given samples that are
            prepared otherwise.
        ArtifactError: it is gone, damaged, or another one than when the job began.
        TrackingError: a registered one must be fetched again, but the store does not answer.
    """
    inits = dict.fromkeys(MetaLearned.model_validate(one) for one in meta_models_in(job.reach.dump().get("init")))
    if not inits:
        return
    from graft.learner.mapped.meta_map import misfit, open_meta_model

    for init in inits:
        bring_back(init, home)
    told = (misfit(open_meta_model(init), *given) for given in _prepared(job) for init in inits)
    problems = [Problem(f"{_WHERE}.source", one) for one in dict.fromkeys(told) if one]
    if problems:
        raise SpecError(problems)


def bring_back(init: MetaLearned, home: Home) -> None:
    """Fetch a registered meta-model of a settled job again, where its copy is gone.

    Raises:
        TrackingError: the store does not answer, or does not have it any more.
    """
    if init.version and not Path(init.source).is_dir():
        _registered(init.version, home)


def meta_models_in(init: Any) -> Iterator[dict[str, Any]]:
    """The options of an init that are meta-models, as a space has them."""
    if not isinstance(init, dict):
        return
    if init.get("kind") == _KIND:
        yield init
    for option in init.get("choice", ()):
        yield from meta_models_in(option)


def _prepared(job: Job) -> Iterator[tuple["Backbone", Preprocessing]]:
    """Every backbone of a job with every way in which its samples are prepared, none of which must be listed for it."""
    names, kind = job.reach.values("backbone"), job.data.modality
    if any(check_backbone(name) for name in names):
        return  # which is said, with what to do, by the plan and by `check_job`
    modality, spec = build_modality(kind), members("modality")[kind]
    assert issubclass(spec, ModalitySpec)
    storage, keys = modality.storage(NOT_LISTED, job.reach), [*spec.fields.model_fields]
    for name, *values in itertools.product(names, *map(job.reach.values, keys)):
        strategy = Strategy(backbone=name, freeze=1.0, **dict(zip(keys, values, strict=True)))
        loaded = load_backbone(name, modality.size(strategy))
        yield loaded.backbone, modality.preprocessing(storage, strategy, loaded.info)


def _settled(source: str) -> dict[str, Any]:
    """What a job is told of a meta-model.

    Raises:
        SpecError: there is none of that name, or it has no map.
        ArtifactError: it is damaged, or not what was registered.
        TrackingError: the store does not answer, or has no such model.
    """
    from graft.episodes.meta_model import read_meta_model
    from graft.learner.mapped.meta_map import mapping_state
    from graft.pipeline.episodes.keeping import champion_of

    version: dict[str, str] = {}
    if source.startswith(SCHEME):
        registered = _registered(source, home_of_copies())
        model, version = read_meta_model(registered.directory), {"version": registered.uri}
    elif "/" in source or Path(source).is_dir():
        model = read_meta_model(Path(source))
    else:
        model = champion_of(home_of_copies(), source).model
    state = mapping_state(model)
    last = state.get("second", state["first"])
    return {
        "source": str(model.directory.absolute()),
        "digest": model.digest,
        **version,
        "width": len(last),
        "hidden": len(state["first"]) if "second" in state else 0,
    }


def _registered(uri: str, home: Home) -> "Registered":
    """Torch and what reads bundles are imported only for jobs that name one."""
    from graft.experiments.find_bundle import find_registered

    return find_registered(uri, home)

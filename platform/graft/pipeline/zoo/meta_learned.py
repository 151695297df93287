"""Meta-models that a job starts from: settled before it runs, so that what it means stays the same for ever."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.data.remote.here import home_of_copies

_KIND, _WHERE = "meta", "strategy.init"


def settle_meta_models(raw: dict[str, Any]) -> list[Problem]:
    """Write into a job where each of its meta-models lies, its digest, and the shape of its map.

    Args:
        raw: the job as plain data, changed in place. One that has a digest already is left as it is.
    """
    problems = []
    strategies = [raw["strategy"], *(raw["search"].get("first") or ())]
    for init in (found for strategy in strategies for found in _meta_in(strategy.get("init"))):
        source = init.get("source")
        if isinstance(source, Mapping):
            told = "is a distribution, but each option must be an init of its own"
            problems.append(Problem(f"{_WHERE}.source", told))
        elif source and not init.get("digest"):
            try:
                init.update(_settled(source))
            except (SpecError, ArtifactError) as error:
                problems.append(Problem(f"{_WHERE}.source", str(error)))
    return problems


def _settled(source: str) -> dict[str, Any]:
    """What a job is told of a meta-model.

    Raises:
        SpecError: there is none of that name, or it has no map.
        ArtifactError: it is damaged.
    """
    from graft.episodes.meta_model import read_meta_model
    from graft.learner.mapped.meta_map import mapping_state
    from graft.pipeline.episodes.keeping import champion_of

    is_path = "/" in source or Path(source).is_dir()
    model = read_meta_model(Path(source)) if is_path else champion_of(home_of_copies(), source).model
    state = mapping_state(model)
    last = state.get("second", state["first"])
    return {
        "source": str(model.directory.absolute()),
        "digest": model.digest,
        "width": len(last),
        "hidden": len(state["first"]) if "second" in state else 0,
    }


def _meta_in(init: Any) -> Iterator[dict[str, Any]]:
    """The options of an init that are meta-models, as a space has them."""
    if not isinstance(init, dict):
        return
    if init.get("kind") == _KIND:
        yield init
    for option in init.get("choice", ()):
        yield from _meta_in(option)

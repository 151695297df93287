"""What `graft fewshot` is asked for; what is wrong with it is said before torch is imported."""

from collections.abc import Sequence
from pathlib import Path

from graft.core.errors import SpecError
from graft.core.registry import unknown
from graft.data.draft import Wish, drafts_of
from graft.pipeline.draft.draft_job import absolute, choose, model_name
from graft.spec.job import Job
from graft.spec.load import JOB_SUFFIXES, load_job_here, parse_job
from graft.spec.meta.adapters import AdapterSpec
from graft.spec.registry import members


def few_shot_job(path: Path, wish: Wish, overrides: tuple[str, ...] = ()) -> Job:
    """The job of a job file, or of a folder or a table that is looked at.

    Raises:
        SpecError: the file is wrong, or nothing is there.
        DataError: it holds nothing that could be used, or what it holds has several meanings.
    """
    if path.suffix.lower() in JOB_SUFFIXES:
        return load_job_here(path, overrides)
    where = absolute(path)
    drafts = drafts_of(where, wish) or drafts_of(where, Wish(wish.sample, wish.labels, "table"))
    draft = choose(where, drafts)
    data = {"kind": draft.kind, "path": str(draft.path), **draft.section}
    name = model_name(where.stem if where.is_file() else where.name)
    return parse_job({"version": 1, "name": name, "data": data, "strategy": dict(draft.strategy)}, overrides)


def adapters_named(names: Sequence[str]) -> tuple[AdapterSpec, ...]:
    """Adapters by gradient, as they are at first.

    Raises:
        SpecError: there is none of a name, or it is no such adapter.
    """
    known = members("adapter")
    for name in names:
        if name not in known:
            raise SpecError(unknown("--adapter", name, sorted(known)))
        if known[name].is_solved:  # type: ignore[attr-defined]
            told = f"--adapter is {name}, which is solved in closed form, but must go by gradient"
            raise SpecError(f"{told}; heads in closed form are compared in any case, so leave it out")
    return tuple(known[name].model_validate({}) for name in names)  # type: ignore[misc]

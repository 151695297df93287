"""`graft validate`: is the job file right? Imports nothing heavy."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.options import JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from graft.core.errors import Problem
    from graft.spec.job import Job

_CHANCES = ("drop_path", "backbone_dropout", "stochastic_norm")


def command(
    job: JobArgument,
    override: SetOption = None,
    no_data: Annotated[
        bool, typer.Option("--no-data", help="Check the job file alone: the data may be somewhere else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a job file, every problem at once, with file, line and key; and look at its data, by names and counts.

    Example: graft validate jobs/digits.yaml --set training.epochs=3
    """
    from graft.cli.output.looking import looking
    from graft.core.errors import SpecError
    from graft.data.overview import light_overview
    from graft.spec.fit import ensemble_problems, metric_problems, strategy_problems
    from graft.spec.load import is_meta_job, load_job
    from graft.spec.search.phases import describe

    if is_meta_job(job):
        _of_meta_training(job, override or (), as_json)
        return
    loaded = load_job(job, override or ())
    noun = f"{loaded.data.modality}s"
    overview = None
    # The kinds of data that say their task themselves need no listing, and so nothing heavy.
    task, reason = loaded.data.task_hint or ("", "")
    if no_data and not task and loaded.task.kind == "auto":
        task, reason = "auto", "the labels decide"
    elif task in ("", loaded.task.kind) or loaded.task.kind != "auto" or _needs_networks(loaded):
        from graft.data.remote.here import home_of_copies
        from graft.pipeline.look import overview_of
        from graft.pipeline.resolve import resolve_job
        from graft.pipeline.zoo.meta_learned import check_meta_models

        resolved = resolve_job(loaded, look=not no_data)
        loaded, task, reason = resolved.job, resolved.job.task.kind, resolved.reason
        check_meta_models(loaded, home_of_copies())
        if not no_data:
            overview = overview_of(loaded, resolved.listing, looking(noun))
    elif problems := [
        *metric_problems(loaded, loaded.decided_task),
        *strategy_problems(loaded, loaded.decided_task),
        *ensemble_problems(loaded, loaded.decided_task),
        *_structure_problems(loaded),
        *_unknown_backbones(loaded),
    ]:
        raise SpecError(problems)
    elif not no_data:
        overview = light_overview(loaded.data, looking(noun))
        if overview is None:
            from graft.pipeline.look import overview_of

            overview = overview_of(loaded, progress=looking(noun))
    if as_json:
        found: dict[str, Any] = {"task": task, "task_reason": reason, "modalities": [loaded.data.modality]}
        found["data"] = None if overview is None else overview.to_dict()
        shown = loaded.model_copy(update={"strategy": loaded.space})
        tell(json.dumps({"status": "ok", **found, "job": shown.model_dump(mode="json")}))
        return
    tell(f"{job} is a valid job: {loaded.name}, {task} ({reason}), {describe(loaded.phases, loaded.strategies)}")
    if overview is not None:
        tell(*(f"{what:<10} {told}" for what, told in overview.lines()))


def _of_meta_training(job: "Path", overrides: "Sequence[str]", as_json: bool) -> None:
    """The job file alone: which tasks its data make is seen where they are ingested."""
    from graft.spec.load import load_meta_job

    loaded = load_meta_job(job, overrides)
    if as_json:
        tell(json.dumps({"status": "ok", "kind": "meta", "job": loaded.model_dump(mode="json")}))
        return
    tell(f"{job} is a valid job of meta-training: {loaded.name}; run it with graft meta-train {job}")


def _needs_networks(job: "Job") -> bool:
    """Whether a network must be built to know if the job can be run: of a library, or one whose layers decide."""
    is_of_library = any(":" in str(name) for name in job.reach.values("backbone"))
    tuned = {*job.reach.values("tune")} - {"all", "surgical"}
    chances = (one for key in _CHANCES for one in job.reach.values(key))
    is_by_chance = any(chance not in (None, 0) for chance in chances)
    return is_of_library or bool({"mapped", "meta"} & {*job.reach.values("init")}) or bool(tuned) or is_by_chance


def _unknown_backbones(job: "Job") -> "list[Problem]":
    from graft.core.errors import Problem
    from graft.models.zoo import name_problem

    told = [name_problem(name) for name in job.reach.values("backbone")]
    return [Problem("strategy.backbone", one) for one in told if one]


def _structure_problems(job: "Job") -> "list[Problem]":
    if "structure" not in dict(job.reach.root.fields):
        return []  # what looks at backbones takes a while to be imported
    from graft.pipeline.edits import structure_problems

    return list(structure_problems(job))

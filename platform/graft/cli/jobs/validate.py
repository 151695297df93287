"""`graft validate`: is the job file right? Imports nothing heavy."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.options import JobArgument, JsonOption, SetOption
from graft.cli.output.looking import looking
from graft.cli.output.tell import tell, tell_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from graft.core.errors import Problem
    from graft.data.overview import Overview
    from graft.spec.job import Job
    from graft.spec.modalities.base import DataSpec
    from graft.spec.tasks.base import TaskSpec

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
    from graft.spec.load import is_meta_job, placed_in
    from graft.spec.search.phases import describe

    if is_meta_job(job):
        _of_meta_training(job, override or (), no_data, as_json)
        return
    given = override or ()
    with placed_in(job, given):
        found = _found(job, given, no_data)
    loaded, overview = found.job, found.overview
    if as_json:
        told: dict[str, Any] = {"task": found.task, "task_reason": found.reason, "modalities": [loaded.data.modality]}
        told["data"] = None if overview is None else overview.to_dict()
        told |= {"left_to_plan": list(found.left_to_plan), "notes": found.notes}
        shown = loaded.model_copy(update={"strategy": loaded.space})
        tell_json({"status": "ok", **told, "job": shown.model_dump(mode="json")})
        return
    trials = describe(loaded.phases, loaded.strategies, loaded.training.epochs is None)
    tell(f"{job} is a valid job: {loaded.name}, {found.task} ({found.reason}), {trials}")
    if overview is not None:
        tell(*(f"{what:<10} {line}" for what, line in overview.lines()))
    for one in found.notes:
        tell(f"{'note':<10} {one}")
    for one in found.left_to_plan:
        tell(f"only graft plan finds out {one}")


@dataclass(frozen=True)
class _Checked:
    """A job that can be run, as far as this command looks."""

    job: "Job"
    task: str
    reason: str
    overview: "Overview | None" = None
    left_to_plan: "Sequence[str]" = ()
    notes: "Sequence[str]" = ()


def _found(job: "Path", overrides: "Sequence[str]", no_data: bool) -> _Checked:
    """What the job is, after all that this command looks at."""
    from graft.core.errors import DataError
    from graft.models.load import known_depth
    from graft.pipeline.zoo.glanced import size_notes
    from graft.spec.defaults.notes import notes_on
    from graft.spec.load import load_job, problems_of_data_too, sound_data
    from graft.spec.modalities.presence import presence_problems

    with problems_of_data_too(lambda: None if no_data else sound_data(job, overrides), _data_problems):
        loaded = load_job(job, overrides)
    with problems_of_data_too(lambda: None if no_data else loaded.data, _data_problems):
        try:
            found = _checked(loaded, no_data)
        except DataError:
            _require([*presence_problems(loaded.data)])  # said of its key, as every command does
            raise
    training = None if found.overview is None else found.overview.splits["train"]
    notes = [*notes_on(loaded, found.job, training, known_depth), *size_notes(found.job)]
    return replace(found, notes=notes)


def _data_problems(data: "DataSpec") -> "Iterator[Problem]":
    """What is wrong with data of which the task is not known."""
    from graft.core.errors import DataError, Problem, SpecError
    from graft.data.overview import light_overview
    from graft.spec.modalities.presence import presence_problems

    if missing := [*presence_problems(data)]:
        yield from missing
        return
    progress = looking(f"{data.modality}s")
    try:
        if light_overview(data, progress) is None:
            from graft.data.listing import list_samples

            list_samples(data, progress)
    except SpecError as error:
        yield from error.problems
    except DataError as error:
        yield Problem("", str(error))


def _checked(job: "Job", no_data: bool) -> _Checked:
    # The kinds of data that say their task themselves need no listing, and so nothing heavy.
    task, reason = job.data.task_hint or ("", "")
    if no_data and not task and job.task.kind == "auto":
        _require(_unknown_backbones(job))
        return _Checked(job, "auto", "the labels decide")
    if _is_told_by_its_files(job):
        return _glanced(job, no_data)
    if task in ("", job.task.kind) or job.task.kind != "auto" or _needs_networks(job):
        return _resolved(job, no_data)
    left = _check_lightly(job, job.decided_task)
    return _Checked(job, task, reason, None if no_data else _look(job), left)


def _glanced(job: "Job", no_data: bool) -> _Checked:
    """Of a job all of whose networks are the user's own: without a library of networks, whatever else it names."""
    hint = job.data.task_hint
    if hint is not None and job.task.kind in ("auto", hint[0]):
        reason = hint[1] if job.task.kind == "auto" else "given by the job"
        left = _check_lightly(job, job.decided_task)
        return _Checked(job, hint[0], reason, None if no_data else _look(job), left)
    from graft.pipeline.look import overview_of
    from graft.pipeline.resolve import task_of

    task, reason, listing = task_of(job, look=not no_data)
    left = _check_lightly(job, task)
    decided = job.model_copy(update={"task": task})
    overview = None if no_data else overview_of(decided, listing, looking(f"{job.data.modality}s"))
    return _Checked(decided, task.kind, reason, overview, left)


def _check_lightly(job: "Job", task: "TaskSpec") -> "Sequence[str]":
    """Without anything heavy; what that leaves to `graft plan`."""
    from graft.pipeline.zoo.glanced import glanced_problems, left_by_a_glance, sample_problems
    from graft.pipeline.zoo.own_heads import headless_problems
    from graft.spec.fit import ensemble_problems, metric_problems, strategy_problems

    of_task = (*metric_problems(job, task), *strategy_problems(job, task), *ensemble_problems(job, task))
    is_named = "backbone" in dict(job.reach.root.fields)  # one that a job leaves open fits its samples
    of_names = (*_unknown_backbones(job), *((*sample_problems(job), *headless_problems(job)) if is_named else ()))
    if not any(":" in str(name) for name in job.reach.values("backbone")):
        _require([*of_task, *_structure_problems(job), *of_names])
        return ()
    _require([*of_task, *of_names, *glanced_problems(job)])
    return left_by_a_glance(job)


def _require(problems: "Sequence[Problem]") -> None:
    from graft.core.errors import SpecError

    if problems:
        raise SpecError(problems)


def _look(job: "Job") -> "Overview":
    from graft.data.overview import light_overview

    progress = looking(f"{job.data.modality}s")
    if (overview := light_overview(job.data, progress)) is not None:
        return overview
    from graft.pipeline.look import overview_of

    return overview_of(job, progress=progress)


def _resolved(job: "Job", no_data: bool) -> _Checked:
    """Of a job whose task the samples tell, or of which networks must be built."""
    from graft.data.remote.here import home_of_copies
    from graft.pipeline.look import overview_of
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.zoo.meta_learned import check_meta_models
    from graft.pipeline.zoo.own_weights import left_to_plan

    resolved = resolve_job(job, look=not no_data)
    check_meta_models(resolved.job, home_of_copies())
    progress = looking(f"{job.data.modality}s")
    overview = None if no_data else overview_of(resolved.job, resolved.listing, progress)
    return _Checked(resolved.job, resolved.job.task.kind, resolved.reason, overview, left_to_plan(resolved.job))


def _of_meta_training(job: "Path", overrides: "Sequence[str]", no_data: bool, as_json: bool) -> None:
    """The job file, and whether its data are there: which tasks they make is seen where they are ingested."""
    from graft.spec.load import load_meta_job, load_meta_job_here

    loaded = (load_meta_job if no_data else load_meta_job_here)(job, overrides)
    if as_json:
        tell_json({"status": "ok", "kind": "meta", "job": loaded.model_dump(mode="json")})
        return
    tell(f"{job} is a valid job of meta-training: {loaded.name}; run it with graft meta-train {job}")


def _is_told_by_its_files(job: "Job") -> bool:
    """Whether all networks of a job are the user's own, so that what their files do not tell is left to the plan."""
    from graft.models.zoo import is_told_by_files

    names = [str(name) for name in job.reach.values("backbone")]
    is_mapped = bool({"mapped", "meta"} & {*job.reach.values("init")})
    return bool(names) and not is_mapped and all(":" in name and is_told_by_files(name) for name in names)


def _needs_networks(job: "Job") -> bool:
    """Whether a network must be built to know if the job can be run: a library's own, or one whose layers decide."""
    from graft.models.zoo import is_told_by_files

    is_edited = "structure" in dict(job.reach.root.fields)
    named = [str(name) for name in job.reach.values("backbone") if ":" in str(name)]
    is_of_library = any(is_edited or not is_told_by_files(name) for name in named)
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

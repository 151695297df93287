"""`graft plan`: what a job will do before it does it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption
from graft.cli.output.looking import looking
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import SpecError

if TYPE_CHECKING:
    from graft.clusters.node_types import ClusterNodes
    from graft.core.storage import Home
    from graft.data.overview import Overview
    from graft.pipeline.measuring.batch_size import BatchSpeeds
    from graft.pipeline.measuring.lr_range import TestedRange
    from graft.pipeline.scaling.cluster_plan import ClusterPlan
    from graft.spec.job import Job
    from graft.workers.allocation import ClusterResources


def command(  # noqa: PLR0913 - each is an option
    job: JobArgument,
    override: SetOption = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time the backbones on this machine, for an estimate of the time.")
    ] = False,
    lr_range: Annotated[
        bool, typer.Option("--lr-range", help="Train some 100 steps with rising learning rates: which can it take?")
    ] = False,
    batch_sizes: Annotated[
        bool, typer.Option("--batch-sizes", help="Time training with batches of 4, 8, 16, …: how large should they be?")
    ] = False,
    cluster: Annotated[
        Path | None,
        typer.Option(
            "--cluster", metavar="FILE", help="A cluster file: its nodes over time, their cost, whether it fits."
        ),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="Prices of machines; see `graft cluster prices`.")
    ] = None,
    epoch_seconds: Annotated[
        float | None, typer.Option("--epoch-seconds", min=0.001, help="What an epoch of a trial lasts on the cluster.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw the nodes over time into a PNG.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", hidden=True, help="What is done without --measure.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the stages, the trials and the resources of a job, without running it; with --measure its time too.

    Example: graft plan jobs/digits.yaml --measure

    Example: graft plan jobs/digits.yaml --cluster cluster/aws/medium.yaml --epoch-seconds 90
    """
    from graft.core.storage import Home
    from graft.data.remote.here import copies_in
    from graft.pipeline.look import overview_of, placement_of
    from graft.pipeline.memory.beginning import beginning_of, lines_of
    from graft.pipeline.plan import describe, make_plan
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.zoo.own_weights import check_starts
    from graft.spec.defaults.length import batch_note
    from graft.spec.defaults.scale import Scale
    from graft.spec.load import load_job_here, placed_in

    if measure and offline:
        raise SpecError("--measure and --offline are both given, but exclude each other; leave one out")
    if cluster is None and (prices or picture or epoch_seconds):
        raise SpecError(
            "--prices, --picture and --epoch-seconds are about a cluster, but there is none; name --cluster"
        )
    place = Home.find(home)
    with copies_in(place), placed_in(job, override or ()):
        given = load_job_here(job, override or ())
        resolved = resolve_job(given)
        check_starts(resolved.job, place)
    loaded = resolved.job
    nodes = _nodes_of(cluster, loaded, as_json) if cluster else None
    there = _all_of(nodes) if nodes else None
    overview = overview_of(loaded, resolved.listing, looking(f"{loaded.data.modality}s"))
    size = Scale(overview.splits["train"], overview.splits["validation"])
    note = batch_note(given, size.training)
    if not measure:
        plan = make_plan(loaded, size, reasons=resolved.reasons, there=there)
    else:
        names = loaded.reach.values("backbone")
        # Said before torch is imported, which is most of the wait.
        tell(f"measuring {', '.join(names)} on this machine, some seconds each …", err=True)
        from graft.learner.probe import forward_seconds, measure_depths

        plan = make_plan(loaded, size, forward_seconds, measure_depths, resolved.reasons, there)
    stored = placement_of(loaded, sum(overview.splits.values()), place.datasets, resolved.listing)
    screening = _screening(loaded, overview)
    beginning = beginning_of(loaded, place, overview, time.time())
    measured = _measured(loaded, place, lr_range, batch_sizes)
    on_cluster = _on_cluster(loaded, nodes, prices, epoch_seconds, picture) if nodes else None
    if as_json:
        found: dict[str, Any] = {
            "modalities": [plan.modality],
            "data": overview.to_dict(),
            "store": {"streamed": stored.is_streamed, "reason": stored.reason},
            "screening": screening,
            "recommended": beginning,
            "notes": [note] if note else [],
        }
        found |= {name: one.to_dict() for name, one in measured.items()}
        tell_json({**plan.to_dict(), **found, **_contract(on_cluster)})
        return
    columns = [(name.replace("_", " "), line) for name, one in measured.items() for line in one.lines()]
    told = [*describe(plan), *(f"{name:<10} {line}" for name, line in columns)]
    store_line = f"store      {'streamed' if stored.is_streamed else 'stored'}: {stored.reason}"
    told += _beforehand(note, screening, lines_of(beginning) if beginning else [])
    # Behind the job and its task, before what is done with the data.
    tell(*told[:2], *(f"{what:<10} {line}" for what, line in overview.lines()), store_line, *told[2:])
    if on_cluster is not None:
        from graft.pipeline.scaling.describe import describe_on_cluster

        tell(f"cluster    {cluster}", *describe_on_cluster(on_cluster))


def _beforehand(note: str, screening: dict[str, Any], memory: list[str]) -> list[str]:
    """What the user should know, what comes before the first trial, and which that will be."""
    noted = [f"{'note':<10} {note}"] if note else []
    return [*noted, f"{'screening':<10} {screening['told']}", *(f"{'memory':<10} {line}" for line in memory)]


def _screening(job: "Job", overview: "Overview") -> dict[str, Any]:
    from graft.pipeline.memory.worth_screening import plan_of

    return plan_of(job, overview.splits["train"])


def _measured(job: "Job", home: "Home", lr_range: bool, batch_sizes: bool) -> dict[str, "TestedRange | BatchSpeeds"]:
    """What short trainings on the job's training samples say, by its key in the JSON."""
    found: dict[str, TestedRange | BatchSpeeds] = {}
    if lr_range:
        tell("training some 100 steps on this machine, on the job's training samples …", err=True)
        from graft.pipeline.measuring.lr_range import lr_range_of

        found["lr_range"] = lr_range_of(job, home)
    if batch_sizes:
        tell("training a few steps with batches of each size on this machine, on the job's samples …", err=True)
        from graft.pipeline.measuring.batch_size import batch_speeds_of

        found["batch_sizes"] = batch_speeds_of(job, home)
    return found


def _nodes_of(file: Path, job: "Job", as_json: bool) -> "ClusterNodes":
    """The nodes of a cluster file; the command ends if the job does not fit on them."""
    from graft.clusters.node_types import read_cluster
    from graft.pipeline.scaling.cluster_plan import ClusterPlan, problems_of

    nodes = read_cluster(file)
    if problems := problems_of(job, nodes):
        if as_json:
            tell_json(_contract(ClusterPlan(problems)))
        else:
            tell(*(str(one) for one in problems), err=True)
        raise typer.Exit(2)
    return nodes


def _all_of(nodes: "ClusterNodes") -> "ClusterResources":
    from graft.pipeline.scaling.asked import nodes_to_come

    return nodes_to_come(nodes)


def _on_cluster(
    job: "Job", nodes: "ClusterNodes", prices: Path | None, epoch_seconds: float | None, picture: Path | None
) -> "ClusterPlan":
    from graft.clusters.prices import read_prices
    from graft.pipeline.scaling.cluster_plan import make_cluster_plan

    plan = make_cluster_plan(job, nodes, read_prices(prices), epoch_seconds)
    if picture is not None:
        from graft.pipeline.scaling.picture import draw

        draw(plan.over_time, picture)
    return plan


def _contract(plan: "ClusterPlan | None") -> dict[str, Any]:
    """What a script reads of a job on a cluster."""
    if plan is None:
        return {}
    found = plan.to_dict()
    return {key: found[key] for key in ("nodes_over_time", "cost", "fits")} | {"cluster": found}

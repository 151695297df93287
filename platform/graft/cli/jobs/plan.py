"""`graft plan`: what a job will do before it does it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
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
    from graft.data.streaming.placement import Placement
    from graft.pipeline.measuring.batch_size import BatchSpeeds
    from graft.pipeline.measuring.lr_range import TestedRange
    from graft.pipeline.plan import Plan
    from graft.pipeline.resolve import Resolved
    from graft.pipeline.scaling.cluster_plan import ClusterPlan
    from graft.spec.defaults.scale import Scale
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

    if measure and offline:
        raise SpecError("--measure and --offline are both given, but exclude each other; leave one out")
    if cluster is None and (prices or picture or epoch_seconds):
        raise SpecError(
            "--prices, --picture and --epoch-seconds are about a cluster, but there is none; name --cluster"
        )
    place = Home.find(home)
    given, resolved = _resolved(job, override, place)
    nodes = _nodes_of(cluster, resolved.job, as_json) if cluster else None
    seen = _seen(given, resolved, place, measure, nodes)
    measured = _measured(resolved.job, place, lr_range, batch_sizes)
    on_cluster = _on_cluster(resolved.job, nodes, prices, epoch_seconds, picture) if nodes else None
    if as_json:
        told = {name: one.to_dict() for name, one in measured.items()}
        tell_json({**seen.to_dict(), **told, **_contract(on_cluster)})
        return
    tell(*seen.lines(measured))
    if on_cluster is not None:
        from graft.pipeline.scaling.describe import describe_on_cluster

        tell(f"cluster    {cluster}", *describe_on_cluster(on_cluster))


@dataclass(frozen=True)
class _Seen:
    """What is known of a job before it runs.

    Attributes:
        plan: stages, trials, resources.
        overview: of the data.
        stored: whether decoded samples are going to be stored or streamed.
        notes: what the job asks for in vain, or cannot have as it asks for it.
        screening: of its backbones before the search.
        beginning: what past runs recommend, if there are any.
    """

    plan: "Plan"
    overview: "Overview"
    stored: "Placement"
    notes: list[str]
    screening: dict[str, Any]
    beginning: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            **self.plan.to_dict(),
            "modalities": [self.plan.modality],
            "data": self.overview.to_dict(),
            "store": {"streamed": self.stored.is_streamed, "reason": self.stored.reason},
            "screening": self.screening,
            "recommended": self.beginning,
            "notes": self.notes,
        }

    def lines(self, measured: "Mapping[str, TestedRange | BatchSpeeds]") -> list[str]:
        """As a user reads it: the job and its task, its data, what is done with them, what was measured."""
        from graft.pipeline.memory.beginning import lines_of
        from graft.pipeline.plan import describe

        job, task, *rest = describe(self.plan)
        data = [f"{what:<10} {line}" for what, line in self.overview.lines()]
        store = f"store      {'streamed' if self.stored.is_streamed else 'stored'}: {self.stored.reason}"
        columns = [(name.replace("_", " "), line) for name, one in measured.items() for line in one.lines()]
        told = [f"{name:<10} {line}" for name, line in columns]
        beginning = lines_of(self.beginning) if self.beginning else []
        return [job, task, *data, store, *rest, *told, *_beforehand(self.notes, self.screening, beginning)]


def _resolved(path: Path, override: list[str] | None, home: "Home") -> tuple["Job", "Resolved"]:
    """A job as it was given, and with its task decided; the models that it starts from are there."""
    from graft.data.remote.here import copies_in
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.zoo.own_weights import check_starts
    from graft.spec.load import load_job_here, placed_in

    with copies_in(home), placed_in(path, override or ()):
        given = load_job_here(path, override or ())
        resolved = resolve_job(given)
        check_starts(resolved.job, home)
    return given, resolved


def _seen(given: "Job", resolved: "Resolved", home: "Home", measure: bool, nodes: "ClusterNodes | None") -> _Seen:
    from graft.models.load import describe_backbone, known_depth
    from graft.pipeline.look import overview_of, placement_of
    from graft.pipeline.memory.beginning import beginning_of
    from graft.pipeline.zoo.glanced import size_notes
    from graft.spec.defaults.notes import notes_on
    from graft.spec.defaults.scale import Scale

    job = resolved.job
    overview = overview_of(job, resolved.listing, looking(f"{job.data.modality}s"))
    size = Scale(overview.splits["train"], overview.splits["validation"])
    return _Seen(
        _plan(resolved, size, measure, _all_of(nodes) if nodes else None),
        overview,
        placement_of(job, sum(overview.splits.values()), home.datasets, resolved.listing),
        [*notes_on(given, job, size.training, known_depth), *size_notes(job, describe_backbone)],
        _screening(job, overview),
        beginning_of(job, home, overview, time.time()),
    )


def _plan(resolved: "Resolved", size: "Scale", measure: bool, there: "ClusterResources | None") -> "Plan":
    from graft.pipeline.plan import make_plan

    if not measure:
        return make_plan(resolved.job, size, reasons=resolved.reasons, there=there)
    names = ", ".join(resolved.job.reach.values("backbone"))
    # Said before torch is imported, which is most of the wait.
    tell(f"measuring {names} on this machine, some seconds each …", err=True)
    from graft.learner.probe import forward_seconds, measure_depths

    return make_plan(resolved.job, size, forward_seconds, measure_depths, resolved.reasons, there)


def _beforehand(notes: list[str], screening: dict[str, Any], memory: list[str]) -> list[str]:
    """What the user should know, what comes before the first trial, and which that will be."""
    noted = [f"{'note':<10} {note}" for note in notes]
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

"""`graft plan`: what a job will do before it does it."""

import json
from typing import Annotated

import typer

from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption
from graft.core.storage import Home


def command(
    job: JobArgument,
    override: SetOption = None,
    home: HomeOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Measure nothing: answers at once, without a time.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the stages, the trials, the resources and the estimated time of a job, without running it.

    Example: graft plan jobs/digits.yaml
    """
    from graft.pipeline.plan import describe, make_plan
    from graft.spec.load import load_job

    plan = make_plan(load_job(job, override or ()), Home.find(home), measure=not offline)
    typer.echo(json.dumps(plan.to_dict()) if as_json else describe(plan))

"""`graft plan`: what a job will do before it does it."""

import json
from typing import Annotated

import typer

from graft.cli.options import JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell


def command(
    job: JobArgument,
    override: SetOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Measure nothing: answers at once, without a time.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the stages, the trials, the resources and the estimated time of a job, without running it.

    Example: graft plan jobs/digits.yaml
    """
    from graft.pipeline.plan import describe, make_plan
    from graft.pipeline.resolve import listing_of, resolve_job
    from graft.spec.load import load_job

    resolved = resolve_job(load_job(job, override or ()))
    loaded, reason = resolved.job, resolved.reason
    if offline:
        plan = make_plan(loaded, task_reason=reason)
    else:
        from graft.learner.probe import forward_seconds, measure_depths

        samples = loaded.data.limit or len(resolved.listing or listing_of(loaded))
        plan = make_plan(loaded, samples, forward_seconds, measure_depths, reason)
    if as_json:
        tell(json.dumps({**plan.to_dict(), "modalities": [plan.modality]}))
        return
    tell(*describe(plan))

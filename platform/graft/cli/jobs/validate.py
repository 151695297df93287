"""`graft validate`: is the job file right? Imports nothing heavy."""

import json

import typer

from graft.cli.options import JobArgument, JsonOption, SetOption


def command(job: JobArgument, override: SetOption = None, as_json: JsonOption = False) -> None:
    """Check a job file: every problem at once, with file, line and key.

    Example: graft validate jobs/digits.yaml --set training.epochs=3
    """
    from graft.spec.load import load_job
    from graft.spec.search.phases import describe

    loaded = load_job(job, override or ())
    if as_json:
        typer.echo(json.dumps({"status": "ok", "job": loaded.model_dump(mode="json")}))
        return
    typer.echo(f"{job} is a valid job: {loaded.name}, {describe(loaded.phases)}")

"""`graft track`: the way of results into MLflow."""

import typer

from graft.cli.options import ExperimentArgument, HomeOption
from graft.core.storage import Home

app = typer.Typer(help="Results on their way into MLflow.", no_args_is_help=True)


@app.callback()
def _track() -> None:
    """Results on their way into MLflow."""


@app.command("sync")
def sync(experiment: ExperimentArgument = "latest", home: HomeOption = None) -> None:
    """Send to MLflow what has not arrived there yet: after the server was down, or a run was killed."""
    from graft.pipeline.experiment import Experiment
    from graft.pipeline.tracking import sync_experiment

    place = Home.find(home)
    found = Experiment.find(place, experiment)
    sync_experiment(place, found)
    typer.echo(f"{found.name} is complete in MLflow")

"""`graft ui`: the MLflow UI on graft's store."""

import subprocess
from typing import Annotated

import typer

from graft.cli.options import HomeOption
from graft.core.storage import Home


def command(
    home: HomeOption = None,
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open the MLflow UI on this home's runs; Ctrl-C ends it. It listens on this machine only.

    Example: graft ui --port 5001
    """
    from graft.core.errors import SpecError
    from graft.tracking.server import require_free_port, ui_command

    place = Home.find(home)
    if not place.database.exists():
        raise SpecError(f"{place.root} has no runs yet; start one with `graft run JOB`")
    require_free_port(port)
    server = ui_command(place.tracking_uri, place.artifact_root, port)
    typer.echo(f"MLflow UI: {_newest_experiment(place, server.url)}")
    typer.echo("It takes some seconds to start; Ctrl-C ends it.")
    process = subprocess.Popen(server.command, env=dict(server.environment))
    try:
        raise SystemExit(process.wait())
    except KeyboardInterrupt:
        process.terminate()
        process.wait()


def _newest_experiment(home: Home, base: str) -> str:
    """The page of the newest experiment's runs; MLflow's own start page is about something else."""
    from graft.pipeline.experiment import Experiment
    from graft.pipeline.tracking import target_of
    from graft.tracking.environment import settle_environment
    from graft.tracking.server import experiment_url

    names = Experiment.names(home)
    if not names:
        return base
    target = target_of(home, Experiment(home.experiments / names[0]).job())
    if target.uri != home.tracking_uri:
        return base
    settle_environment()
    from graft.tracking.mlflow import find_experiment_id  # MLflow takes seconds to import

    return experiment_url(base, find_experiment_id(target))

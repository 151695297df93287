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
    """Open the MLflow UI on this home's runs; Ctrl-C ends it. It listens on this machine only."""
    from graft.core.errors import SpecError
    from graft.tracking.server import require_free_port, ui_command

    place = Home.find(home)
    if not place.database.exists():
        raise SpecError(f"{place.root} has no runs yet; start one with `graft run JOB`")
    require_free_port(port)
    server = ui_command(place.tracking_uri, place.artifact_root, port)
    typer.echo(f"MLflow UI: {server.url}/#/experiments (Ctrl-C ends it; it takes some seconds to start)")
    process = subprocess.Popen(server.command, env=dict(server.environment))
    try:
        raise SystemExit(process.wait())
    except KeyboardInterrupt:
        process.terminate()
        process.wait()

"""`graft track`: the way of results into MLflow."""

from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.help import show_overview
from graft.cli.options import ExperimentArgument, HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import TrackingError
from graft.core.storage import Home

if TYPE_CHECKING:
    from graft.experiments.directory import Experiment

app = typer.Typer(help="Results on their way into MLflow.", invoke_without_command=True)


@app.callback()
def _track(context: typer.Context) -> None:
    """Results on their way into MLflow."""
    show_overview(context)


@app.command("sync")
def sync(
    experiment: ExperimentArgument = "latest",
    restart: Annotated[bool, typer.Option("--restart", help="Send everything anew, for a store that lost it.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send to MLflow what has not arrived there yet: after the server was down, or a run was killed.

    With --json it prints how many records are still missing there: 0 when it is complete.

    Example: graft track sync digits
    """
    from graft.experiments.directory import find_recorded
    from graft.pipeline.publishing import sync_experiment

    place = Home.find(home)
    found = find_recorded(place, experiment)
    try:
        sync_experiment(place, found, restart)
    except TrackingError as error:
        if not as_json:
            raise
        _tell_pending(place, found)
        tell(f"graft: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    if as_json:
        _tell_pending(place, found)
        return
    tell(f"{found.name} is complete in MLflow")


def _tell_pending(home: Home, experiment: "Experiment") -> None:
    from graft.journal.journal import read
    from graft.tracking.relay_files import Cursor, RelayFiles
    from graft.tracking.target import target_of

    cursor = Cursor(RelayFiles(experiment.directory).cursor, target_of(home, experiment.job()))
    pending = sum(end > cursor.offset for end, _ in read(experiment.journal_file))
    tell_json({"pending": pending})

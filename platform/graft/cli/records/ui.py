"""`graft ui`: the MLflow UI on graft's store."""

import contextlib
import os
import signal
import subprocess
import time
import webbrowser
from typing import Annotated

import typer

from graft.cli.options import ExperimentArgument, HomeOption
from graft.cli.output.browser import has_display, opened
from graft.cli.output.tell import tell
from graft.core.storage import Home

_POLL_S = 0.5


def command(
    experiment: ExperimentArgument = "latest",
    home: HomeOption = None,
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port on this machine.")] = 5000,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page, if there is a display.")
    ] = True,
) -> None:
    """Show which strategy of an experiment wins, and at what cost, in the MLflow UI.

    On the store of this home it starts a server that listens on this machine only, answers nobody without the token in
    the address that it prints, and changes no model and no file; Ctrl-C (or SIGTERM) ends it. For an experiment that
    is tracked by a server, it names the page there.

    Example: graft ui digits --port 5001
    """
    from graft.core.errors import SpecError
    from graft.tracking.server import is_up, require_free_port
    from graft.tracking.ui import ui_server

    place = Home.find(home)
    remote = _server_of(place, experiment)
    if remote is not None:
        _show(_addresses(place, experiment, remote), browser)
        return
    if place.address:
        from graft.pipeline.publishing import sync_home

        sync_home(place)
    if not place.database.exists():
        raise SpecError(f"{place.shown} has no runs yet; start one with `graft run JOB`")
    require_free_port(port)
    place.close()
    server = ui_server(place.tracking_uri, place.artifact_root, port)
    pages = _addresses(place, experiment, server.url)
    addresses = {name: server.address(page) for name, page in pages.items()}
    # A session of its own: the server is to end with all its children, however this command ends.
    # Its standard input closes with this process, even if that is killed, and then it ends.
    environment = dict(server.environment)
    process = subprocess.Popen(server.command, env=environment, stdin=subprocess.PIPE, start_new_session=True)
    try:
        # Not before: who sees an address may press Ctrl-C, and the server has to end with this command.
        _show(addresses, browser=False)
        tell(
            "Whoever has this address can look, so keep it to yourself. It takes some seconds to start; Ctrl-C ends it."
        )
        with contextlib.ExitStack() as stack:
            if browser and has_display():
                while process.poll() is None and not is_up(server.url):
                    time.sleep(_POLL_S)
                if process.poll() is None:
                    stack.enter_context(opened(next(iter(addresses.values()))))
            raise SystemExit(process.wait())
    except KeyboardInterrupt:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _show(addresses: dict[str, str], browser: bool) -> None:
    for name, url in addresses.items():
        tell(f"{name}: {url}")
    if browser and has_display():
        webbrowser.open(next(iter(addresses.values())))


def _addresses(home: Home, experiment: str, local: str) -> dict[str, str]:
    """The comparison page; MLflow's own start page, which is about something else, if nothing has been run."""
    from graft.experiments.comparison import pages
    from graft.experiments.directory import Experiment

    if not Experiment.names(home):
        return {"MLflow UI": local}
    found = Experiment.find(home, experiment)
    shown = pages(home, {found: None}, local)
    return {f"{kind} of {found.name}": url for kind, url in shown.views.get(found.name, {}).items()} or {
        "MLflow UI": local
    }


def _server_of(home: Home, experiment: str) -> str | None:
    """Address of the server that tracks the experiment, if it is one that somebody else has started."""
    from graft.core.credentials import without_login
    from graft.experiments.directory import Experiment
    from graft.tracking.target import target_of

    if not Experiment.names(home):
        return None
    uri = target_of(home, Experiment.find(home, experiment).job()).uri
    return without_login(uri) if uri.startswith(("http://", "https://")) else None

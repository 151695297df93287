"""`graft serve`: a model answers requests."""

import contextlib
import threading
from typing import Annotated

import typer

from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="models:/name, an experiment, or a bundle.")],
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Where requests come in.")] = 8000,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; nobody is asked for a login.")
    ] = "127.0.0.1",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="batch_size and batch_wait_ms (requests that are answered together); min_replicas, max_replicas "
            "(processes); cpus, gpus (of each); waiting (most requests that wait); timeout_s; body_mb (of a request).",
        ),
    ] = None,
    config: Annotated[
        bool, typer.Option("--config", help="Start nothing; print the file for `serve deploy` and KubeRay.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer requests with a model, by Ray Serve, until Ctrl-C; as `mlflow models serve` does, but many at once.

    On this machine, or with RAY_ADDRESS on that cluster. An alias is read when the service starts: for a new champion
    start it again.

    Example: graft serve models:/digits@champion --port 8000

    Example: graft serve digits --set max_replicas=8 --set batch_size=64 --config > serve.yaml
    """
    from graft.core.storage import Home
    from graft.experiments.find_bundle import find_bundle, pinned_model
    from graft.spec.service import parse_service

    place = Home.find(home)
    given = parse_service({"model": model}, settings or ())
    pinned = given.model_copy(update={"model": pinned_model(given.model, place)})
    bundle = None if config else find_bundle(pinned.model, place)
    from graft.pipeline.serving.running import Door, require_serve, running, service_config  # Ray takes seconds

    if bundle is None:
        tell(*service_config(pinned).splitlines())
        return
    from graft.models.bundle import read_bundle

    read_bundle(bundle)  # what is wrong with it is said before Ray starts
    require_serve()
    with running(pinned.model_copy(update={"home": place.shown}), Door(port, host)) as address:
        if as_json:
            tell_json({"model": pinned.model, "address": address})
        else:
            tell(f"{pinned.model} answers at {address}; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()

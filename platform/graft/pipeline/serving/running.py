"""Runs a service as long as somebody wants it: on the Ray of this machine, or on the cluster it has joined (2.60)."""

import contextlib
import importlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from graft.core.errors import ResourceError
from graft.pipeline.ray_session import check_cluster, ray_session
from graft.spec.service import IMPORT_PATH, ServiceSpec
from graft.tracking.server import require_free_port
from graft.workers.cluster_address import cluster_address

APPLICATION = "graft"
ROUTE = "/invocations"


@dataclass(frozen=True)
class Door:
    """Where requests come in, on every node.

    Attributes:
        port: of HTTP.
        host: address of the node to listen on; nobody is asked for a login there.
    """

    port: int = 8000
    host: str = "127.0.0.1"


def require_serve() -> Any:
    """Ray Serve, which plain Ray lacks packages for.

    Raises:
        ResourceError: they are not installed.
    """
    try:
        return importlib.import_module("ray.serve")
    except ModuleNotFoundError as error:
        raise ResourceError(f"Ray Serve needs {error.name}, which is missing; `pip install 'graft[serve]'`") from error


def service_config(service: ServiceSpec) -> str:
    """The file of a service for `serve deploy`, and for `serveConfigV2` of KubeRay's RayService."""
    args = service.model_dump(mode="json", exclude_defaults=True)
    application = {"name": APPLICATION, "import_path": IMPORT_PATH, "route_prefix": "/", "args": args}
    return yaml.safe_dump({"applications": [application]}, sort_keys=False)


@contextlib.contextmanager
def running(service: ServiceSpec, door: Door) -> Iterator[str]:
    """Have a service while the context lasts; gives the address of its requests.

    Raises:
        SpecError: there is no such model.
        ResourceError: Ray cannot be reached, the port is taken, Ray Serve is not installed or runs already, or no
            replica starts.
    """
    serve = require_serve()
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    check_cluster()
    if cluster_address() is None:
        require_free_port(door.port)
    with ray_session():
        if serve.status().proxies:
            told = "Ray Serve runs on this cluster already, at an address of its own"
            raise ResourceError(f"{told}; add to it by `graft serve MODEL --config > serve.yaml` and `serve deploy`")
        try:
            _start(serve, service, door)
            yield f"http://{door.host}:{door.port}{ROUTE}"
        finally:
            serve.shutdown()


def _start(serve: Any, service: ServiceSpec, door: Door) -> None:
    from graft.pipeline.serving.application import app  # it needs the packages of Ray Serve

    application = app(service.model_dump())
    try:
        serve.start(http_options={"host": door.host, "port": door.port})
        serve.run(application, name=APPLICATION, route_prefix="/")
    except RuntimeError as error:
        raise ResourceError(f"{service.model} cannot be served: {_reason(serve, error)}") from error


def _reason(serve: Any, error: RuntimeError) -> str:
    """What a replica has said last."""
    found = serve.status().applications.get(APPLICATION)
    told = [one.message for one in found.deployments.values() if one.message] if found else []
    lines = str((told or [error])[0]).strip().splitlines()
    return lines[-1].strip()

"""Starts Ray on this machine, or joins the cluster that ``RAY_ADDRESS`` names (Ray 2.60)."""

import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import ray
from ray._private import ray_constants
from ray.job_config import JobConfig

from graft.clusters.node_types import ClusterNodes, launched_cluster
from graft.core.errors import ResourceError
from graft.core.uris import user_path
from graft.pipeline.ray_directory import ray_directory
from graft.pipeline.scaling.asked import nodes_to_come
from graft.pipeline.watchers import own_termination
from graft.workers.allocation import ACCELERATOR, ClusterResources, Node
from graft.workers.cluster_address import check_address, cluster_address, shake_hands
from graft.workers.groups.shape import has_autoscaler
from graft.workers.object_store import object_store_here

_LOG = logging.getLogger(__name__)

# A local session's workers inherit these; on a cluster they travel with the job.
WORKER_ENVIRONMENT = {
    # By default, torch's threads spin while they wait for each other. As soon as anything else wants a core, a spinning
    # one holds it for whole time slices: a step of 0.2 s took 5–8 s (two threads, one other process, two cores).
    # Threads that sleep at once wake up too slowly for the short operations of small images. So they spin for some
    # 10 µs: a step of two threads takes 45 ms then, not 77, and 39 instead of 66 beside a busy process; but 154 instead
    # of 66 when four threads fight for two cores, which graft itself never has them do.
    "GOMP_SPINCOUNT": "3000",
    # By default, glibc gives large blocks back to the system as soon as they are freed, and every operation on images
    # asks for new ones, which the system clears and maps page by page: a third to a half of a training step. So freed
    # memory up to 2 GiB is kept, and threads take theirs from one arena: others hold no large blocks. A step with
    # 32 images of 128 px takes 13 ms an image then, not 18 to 20, for a tenth more of memory.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2 * 1024**3),
    "MALLOC_TOP_PAD_": str(64 * 1024**2),
    "MALLOC_ARENA_MAX": "1",
    # A worker that was given no GPU must not see one: `choose_device` asks torch.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}

CLUSTER_FILE = "GRAFT_CLUSTER"
"""Variable of the head: the cluster's own file of Ray's launcher, by which a job knows what nodes there can be."""

_OF_RAY = ("RAY_AUTH_TOKEN", "RAY_CLIENT_MODE")
"""What is no setting of a shell: a secret, and what Ray itself sets as it is imported."""
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", **WORKER_ENVIRONMENT}


@contextlib.contextmanager
def ray_session(logs: Path | None = None) -> Iterator[ClusterResources]:
    """Yield the resources of a running Ray; shut down at the end what was started here.

    Args:
        logs: a directory for the logs of a Ray of our own, if the block ends with an error.

    Raises:
        ResourceError: Ray cannot be started, or the cluster cannot be reached.
    """
    if ray.is_initialized():
        yield _resources()
        return
    address = cluster_address()
    place: contextlib.AbstractContextManager[Path | None] = (
        ray_directory(logs) if address is None else contextlib.nullcontext()
    )
    with place as directory:
        _start(address, directory)
        try:
            yield _resources()
        finally:
            with own_termination():  # Ray's libraries put the system's own handler back, and Python does not notice
                ray.shutdown()


def check_cluster() -> None:
    """Find out, before a run begins, whether there is a cluster to join where one is named, and who else may use it.

    What a Ray of our own lacks on this machine is said aloud.

    Raises:
        ResourceError: there is none.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        _LOG.warning(
            "RAY_AUTH_MODE is disabled: whoever reaches Ray's ports can run code as this user; unset it, or say token"
        )
    if ray.is_initialized():
        return
    address = cluster_address()
    if address is not None:
        check_address(address)
    elif note := object_store_here().note:
        _LOG.warning("%s", note)


def head_address() -> str:
    """Where the head of the running Ray listens, as ``host:port``."""
    return str(ray.get_runtime_context().gcs_address)


# Besides plain exceptions, such as of a node that "timed out during startup" on a busy machine. The last two: a hook
# that RAY_RUNTIME_ENV_HOOK names is none.
_START_FAULTS = (ConnectionError, RuntimeError, ValueError, OSError, ImportError, AttributeError)


def _start(address: str | None, directory: Path | None) -> None:
    preset = preset_settings()
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    environment = {name: os.environ[name] for name in WORKER_ENVIRONMENT}
    if address is not None:
        shake_hands(address)
    try:
        with own_termination():
            _init(address, directory, environment)
    except Exception as error:
        if not (type(error) is Exception or isinstance(error, _START_FAULTS)):
            raise
        joined = f"the Ray cluster at {address} cannot be joined"
        where = "Ray cannot be started on this machine" if address is None else joined
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        busy = _too_busy() if address is None and "timed out" in reason else ""
        raise ResourceError(f"{where} ({reason}){busy}{preset}") from error


def _init(address: str | None, directory: Path | None, environment: Mapping[str, str]) -> None:
    quiet = {
        "job_config": job_config(),
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": False,
    }
    if address is not None:
        ray.init(address=address, runtime_env={"env_vars": environment}, **quiet)
        return
    _require_token()
    store = object_store_here()
    with _on_the_loopback_interface():
        ray.init(
            address="local",
            num_cpus=_usable_cpus(),
            include_dashboard=False,
            object_store_memory=store.bytes,
            _plasma_directory=str(directory) if store.is_on_disk else None,
            _temp_dir=str(directory),
            **quiet,
        )


def _too_busy() -> str:
    """Ray gives its processes half a minute to start, and no setting gives them more."""
    return f"; {os.getloadavg()[0]:.0f} processes want the {os.cpu_count()} CPUs here: try again when fewer do"


class _WhatTheDriverSearches(list[str]):
    """Directories in which workers search modules: none that this process does not search itself.

    Ray puts the working directory before all others, where a ``torch.py`` or ``queue.py`` of a user's takes the place
    of the real one, and no process of Ray starts any more.
    """

    def extend(self, paths: Iterable[str]) -> None:
        searched = {os.path.abspath(path) for path in sys.path}
        super().extend(path for path in paths if os.path.abspath(path) in searched)


def job_config() -> JobConfig:
    """How workers are started for a run: they find modules where the driver does."""
    config = JobConfig()
    config._py_driver_sys_path = _WhatTheDriverSearches()
    return config


def preset_settings() -> str:
    """The settings of Ray that a user's shell holds, for the one who looks for the reason of an error."""
    names = sorted(name for name in os.environ if name.startswith("RAY_") and name not in (*_SETTINGS, *_OF_RAY))
    return f"; set here: {', '.join(names)}, which may be the reason" if names else ""


def _require_token() -> None:
    """Other users of this machine must not be able to send work to our Ray.

    A local `ray.init` turns token authentication on by itself and would write a token file under the user's home
    directory; a token in the environment, for this session only, spares that.
    """
    if "RAY_AUTH_MODE" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextlib.contextmanager
def _on_the_loopback_interface() -> Iterator[None]:
    """Ray listens on 127.0.0.1 alone, with everything, if that is the address of its node.

    It would take any other address for that of the node, also if it is given 127.0.0.1, unless it believes that no
    other machine may join, as on macOS and Windows.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _resources() -> ClusterResources:
    alive = [node for node in ray.nodes() if node["Alive"]]
    # A session of our own is this machine, whatever is asked for.
    can_grow = cluster_address() is not None and has_autoscaler()
    nodes = tuple(_node(one["Resources"], one.get("Labels") or {}) for one in alive)
    return ClusterResources(nodes, can_grow, _largest() if can_grow else ())


def _node(has: Mapping[str, float], labels: Mapping[str, str]) -> Node:
    return Node(has.get("CPU", 0.0), has.get("GPU", 0.0), labels.get(ACCELERATOR, ""))


def _largest() -> tuple[Node, ...]:
    cluster = nodes_there_may_be()
    return nodes_to_come(cluster).nodes if cluster else ()


def nodes_there_may_be() -> ClusterNodes | None:
    """All nodes of the growing cluster that this session has joined, where GRAFT_CLUSTER names its file."""
    file = os.environ.get(CLUSTER_FILE)
    if not file or cluster_address() is None or not has_autoscaler():
        return None
    return launched_cluster(user_path(file))

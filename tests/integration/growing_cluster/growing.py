"""A cluster on this machine whose workers come and go: Ray's own autoscaler (version 2) over its fake provider."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray._private.services import get_node_ip_address
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID
from ray.autoscaler.v2.sdk import get_cluster_status

# Apart from the ports that Ray takes where nobody says others, so that a second Ray on the machine is not disturbed.
GCS_PORT, DASHBOARD_PORT, CLIENT_PORT, AGENT_PORT = 26379, 26381, 26382, 26383
STORE_BYTES = 80_000_000
HEAD = "ray.head.default"  # the only name that the fake provider has for it
MARK = "GRAFT_GROWING_CLUSTER"
LOOK_S = 0.25
# What Ray fills into the files of its own providers.
MAPPINGS = ("auth", "docker", "file_mounts")
LISTS = (
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


def launcher_file(kinds: Mapping[str, Mapping[str, Any]], idle_seconds: float) -> dict[str, Any]:
    """A file of Ray's launcher: the provider is the fake one, the rest is what any file has."""
    types = {name: {"node_config": {}, "min_workers": 0, **kind} for name, kind in kinds.items()}
    for kind in types.values():
        kind["resources"] = {**kind["resources"], "object_store_memory": STORE_BYTES}
    return {
        "cluster_name": "growing",
        "max_workers": sum(kind["max_workers"] for kind in types.values()),
        "provider": {
            "type": "external",
            "module": "fake_nodes.FakeNodes",
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "launch_multiple": True,
            "head_node_id": FAKE_HEAD_NODE_ID,
            "gcs_address": f"{get_node_ip_address()}:{GCS_PORT}",
        },
        "available_node_types": {HEAD: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}, **types},
        "head_node_type": HEAD,
        "upscaling_speed": 1.0,
        **{key: {} for key in MAPPINGS},
        **{key: [] for key in LISTS},
        "file_mounts_sync_continuously": False,
        "idle_timeout_minutes": idle_seconds / 60,
    }


@contextlib.contextmanager
def growing_cluster(file: Path, directory: Path) -> Iterator[str]:
    """Start its head, and end it and all its nodes; yields the address.

    Args:
        file: of the launcher.
        directory: for Ray's files; short.
    """
    mark = uuid4().hex
    environment = {
        **os.environ,
        MARK: mark,
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
        "RAY_NODE_TYPE_NAME": HEAD,  # as `ray up` does
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    }
    options = {
        "port": GCS_PORT,
        "dashboard-port": DASHBOARD_PORT,
        "ray-client-server-port": CLIENT_PORT,
        "dashboard-agent-listen-port": AGENT_PORT,
        "num-cpus": 0,
        "object-store-memory": STORE_BYTES,
        "temp-dir": directory,
        "autoscaling-config": file,
    }
    command = [Path(sys.executable).parent / "ray", "start", "--head", "--disable-usage-stats"]
    try:
        given = [f"--{name}={value}" for name, value in options.items()]
        started = subprocess.run([*command, *given], env=environment, capture_output=True, text=True, check=False)
        if started.returncode:
            raise RuntimeError(started.stderr[-2000:] or started.stdout[-2000:])
        yield f"{get_node_ip_address()}:{GCS_PORT}"
    finally:
        _end_all(mark)


def _end_all(mark: str) -> None:
    """End the processes of this cluster, and no others: they have its mark in their environment."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                is_mine = f"{MARK}={mark}".encode() in Path(f"/proc/{process}/environ").read_bytes()
                if is_mine and int(process) != os.getpid():
                    os.kill(int(process), how)
        time.sleep(1.0)


class NodeWatch:
    """Counts the nodes of each type, from the moment it is made; Ray must be up.

    Attributes:
        seen: (seconds, nodes by type), whenever that has changed.
    """

    def __init__(self, kinds: Mapping[str, Any]) -> None:
        self._kinds, self._began, self._stop = list(kinds), time.monotonic(), threading.Event()
        self.seen: list[tuple[float, dict[str, int]]] = []
        self._look()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.monotonic() - self._began, 1)

    def wait_for(self, total: int) -> None:
        """Return when there are so many workers."""
        while sum(self.seen[-1][1].values()) != total:
            time.sleep(LOOK_S)

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        counts = dict.fromkeys(self._kinds, 0)
        cluster = get_cluster_status(ray.get_runtime_context().gcs_address)
        for node in (*cluster.active_nodes, *cluster.idle_nodes):
            if node.ray_node_type_name in counts:
                counts[node.ray_node_type_name] += 1
        if not self.seen or counts != self.seen[-1][1]:
            self.seen.append((self.seconds, counts))


def dump(file: Path, config: Mapping[str, Any]) -> None:
    """Write a launcher file; JSON is YAML."""
    file.write_text(json.dumps(config, indent=1))

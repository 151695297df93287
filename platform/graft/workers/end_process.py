"""Ends a process of the cluster that hangs, on whatever node it runs (Ray 2.60)."""

import logging
import signal

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from graft.core.heartbeat import Heartbeat
from graft.core.process_identity import Machine, ProcessIdentity

_LOG = logging.getLogger(__name__)
# A process that ends another one has to start first.
REACH_S = 60.0


def end_process(heartbeat: Heartbeat) -> bool:
    """Kill a process: what hangs hears no request; false if it has ended already, or its node cannot be reached."""
    process = heartbeat.process
    if process.machine == Machine.here():
        return process.send(signal.SIGKILL)
    node = next((node["NodeID"] for node in ray.nodes() if _is_home(node, process)), None)
    if node is None:
        return False
    where = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    ended = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=where)(_end)
    try:
        return bool(ray.get(ended.remote(process), timeout=REACH_S))
    except RayError as error:
        _LOG.warning("process %s cannot be ended: %s", process, error)
        return False


def _is_home(node: dict[str, object], process: ProcessIdentity) -> bool:
    return bool(node["Alive"]) and node.get("NodeManagerHostname") == process.machine.host


def _end(process: ProcessIdentity) -> bool:
    return process.send(signal.SIGKILL)

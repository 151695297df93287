"""What a cluster file says of its nodes: kinds, how many there may be, when idle ones leave."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graft.clusters.check import check_structure, read_documents
from graft.clusters.kuberay_rules import cluster_of, has_shared_home
from graft.clusters.launcher_rules import has_mounted_home, is_spot
from graft.core.errors import Problem, SpecError

MARKET, ACCELERATOR = "ray.io/market-type", "ray.io/accelerator-type"
_QUANTITY = re.compile(r"^([0-9.]+)(m|[KMGTP]i?)?$")
_FACTORS = {"m": 1e-3, "": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    f"{letter}i": 1024.0 ** (place + 1) for place, letter in enumerate("KMGTP")
}
DEFAULT_IDLE_MINUTES, KUBERAY_IDLE_SECONDS = 5.0, 60.0


@dataclass(frozen=True)
class NodeType:
    """One kind of node.

    Attributes:
        name: in the file.
        resources: of a node, by Ray's names.
        labels: by which tasks may choose it.
        most: nodes of it at once.
        least: nodes of it that stay though nobody needs them.
        machine: the provider's name of what is rented; empty where the file has none.
        is_spot: whether the cloud may take it away.
        priority: which of several that fit comes first; more is earlier (autoscaler version 2).
    """

    name: str
    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    most: int = 0
    least: int = 0
    machine: str = ""
    is_spot: bool = False
    priority: int = 0


@dataclass(frozen=True)
class ClusterNodes:
    """All nodes that a cluster may have.

    Attributes:
        provider: as in the file; `kuberay` for Kubernetes.
        head: the node that is always there.
        workers: kinds of the others, in the order of the file.
        most: workers of all kinds at once.
        idle_seconds: after which a worker leaves that nobody uses.
        has_shared_home: whether what is kept outlives a node.
        is_elastic: whether workers come and go; machines of one's own stay.
    """

    provider: str
    head: NodeType
    workers: tuple[NodeType, ...]
    most: int
    idle_seconds: float
    has_shared_home: bool = True
    is_elastic: bool = True


def read_cluster(path: Path) -> ClusterNodes:
    """The nodes of a launcher file, or of the first cluster among manifests of KubeRay.

    Raises:
        SpecError: it is no cluster file, its schema refuses it, or it does not say what a node has.
    """
    for document in read_documents(path):
        if violations := check_structure(document):
            raise SpecError([Problem("", str(one), str(path)) for one in violations])
        if "cluster_name" in document:
            return _of_launcher(document, path)
        if (found := cluster_of(document)) is not None:
            return _of_kuberay(found[1])
    raise SpecError([Problem("", "holds no cluster, only jobs that name one; name the file of the cluster", str(path))])


def launched_cluster(path: Path) -> ClusterNodes:
    """The nodes of the cluster that this machine is the head of: the file that the launcher has left here, or the
    manifest that KubeRay was given.

    The launcher's is Ray's own copy, with all defaults filled in, and the API server has judged the other one, so
    nobody's schema is asked.

    Raises:
        SpecError: it cannot be read, or holds no cluster.
    """
    for document in read_documents(path):
        if "cluster_name" in document:
            return _of_launcher(document, path)
        if (found := cluster_of(document)) is not None:
            return _of_kuberay(found[1])
    told = "holds no cluster; name what `ray up` has left on the head, or the manifest that KubeRay was given"
    raise SpecError([Problem("", told, str(path))])


def _of_launcher(config: Mapping[str, Any], path: Path) -> ClusterNodes:
    provider = config.get("provider", {})
    if provider.get("type") == "local":
        return _of_own_machines(config, path)
    head, types = config.get("head_node_type", ""), config.get("available_node_types", {})
    if head not in types:
        told = f"is `{head}`, but must be one of {', '.join(types) or 'available_node_types'}; name one of them"
        raise SpecError([Problem("head_node_type", told, str(path))])
    kinds = {name: _launcher_type(name, node) for name, node in types.items()}
    workers = tuple(kind for name, kind in kinds.items() if name != head)
    most = config.get("max_workers", sum(one.most for one in workers))
    idle = 60.0 * config.get("idle_timeout_minutes", DEFAULT_IDLE_MINUTES)
    return ClusterNodes(provider.get("type", ""), kinds[head], workers, most, idle, has_mounted_home(config))


def _launcher_type(name: str, node: Mapping[str, Any]) -> NodeType:
    own = node.get("node_config", {})
    machine = own.get("InstanceType") or own.get("machineType") or own.get("azure_arm_parameters", {}).get("vmSize")
    resources = {kind: float(amount) for kind, amount in node.get("resources", {}).items()}
    labels, least, most = node.get("labels", {}), node.get("min_workers", 0), node.get("max_workers", 0)
    priority = node.get("priority", 0)
    return NodeType(name, resources, labels, most, least, machine or "", is_spot(node), priority)


def _of_own_machines(config: Mapping[str, Any], path: Path) -> ClusterNodes:
    """Machines that stay; what one has is what its `ray start` says."""
    has = _started_with(config.get("worker_start_ray_commands", ()))
    if "CPU" not in has:
        told = "says no --num-cpus, but a plan must know what a machine has; write --num-cpus and --num-gpus"
        raise SpecError([Problem("worker_start_ray_commands", told, str(path))])
    count = min(len(config["provider"].get("worker_ips") or ()), config.get("max_workers", 10**6))
    worker = NodeType("worker", has, most=count, least=count)
    head = NodeType("head", _started_with(config.get("head_start_ray_commands", ())))
    return ClusterNodes("local", head, (worker,), count, 0.0, is_elastic=False)


def _started_with(commands: Iterable[str]) -> dict[str, float]:
    words = [word for command in commands if "ray start" in command for word in _options(command)]
    found: dict[str, float] = {}
    for name, value in words:
        if name in ("--num-cpus", "--num-gpus"):
            found["CPU" if name == "--num-cpus" else "GPU"] = float(value)
        elif name == "--resources":
            found |= {kind: float(amount) for kind, amount in json.loads(value).items()}
    return found


def _options(command: str) -> Iterator[tuple[str, str]]:
    words = shlex.split(command)
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            yield name, value if equals else (words[place + 1] if place + 1 < len(words) else "")


def _of_kuberay(spec: Mapping[str, Any]) -> ClusterNodes:
    groups = spec.get("workerGroupSpecs", ())
    workers = tuple(_kuberay_type(group) for group in groups)
    idle = float(spec.get("autoscalerOptions", {}).get("idleTimeoutSeconds", KUBERAY_IDLE_SECONDS))
    head = _kuberay_type({"groupName": "head", **spec.get("headGroupSpec", {})})
    spot = [group for group in groups if group.get("labels", {}).get(MARKET) == "spot"]
    is_shared = all(has_shared_home(group.get("template", {}).get("spec", {})) for group in spot)
    return ClusterNodes("kuberay", head, workers, sum(one.most for one in workers), idle, is_shared)


def _kuberay_type(group: Mapping[str, Any]) -> NodeType:
    """What a pod asks for; `rayStartParams` may say otherwise, and name resources of its own."""
    containers = group.get("template", {}).get("spec", {}).get("containers", ())
    asked = (containers[0] if containers else {}).get("resources", {})
    amounts = {**asked.get("requests", {}), **asked.get("limits", {})}
    resources = {"CPU": quantity(amounts.get("cpu", 0)), "GPU": quantity(amounts.get("nvidia.com/gpu", 0))}
    given = group.get("rayStartParams", {})
    for key, kind in (("num-cpus", "CPU"), ("num-gpus", "GPU")):
        if key in given:
            resources[kind] = float(given[key])
    resources |= {kind: float(amount) for kind, amount in json.loads(given.get("resources", "{}").strip("'")).items()}
    labels = group.get("labels", {})
    return NodeType(
        group["groupName"],
        {kind: amount for kind, amount in resources.items() if amount or kind == "CPU"},
        labels,
        group.get("maxReplicas", 0) * group.get("numOfHosts", 1),
        group.get("minReplicas", 0) * group.get("numOfHosts", 1),
        is_spot=labels.get(MARKET) == "spot",
        priority=group.get("priority", 0),
    )


def quantity(text: str | int | float) -> float:
    """A quantity as Kubernetes writes it: ``4``, ``"500m"``, ``32Gi``."""
    found = _QUANTITY.match(str(text))
    if found is None:
        raise SpecError(f"{text} is no quantity of Kubernetes, such as 4, 500m or 32Gi; mend it")
    return float(found[1]) * _FACTORS[found[2] or ""]

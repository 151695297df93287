"""What a cluster file says of its nodes: kinds, how many there may be, when idle ones leave."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graft.clusters.check import read_documents
from graft.clusters.kuberay_rules import has_shared_home
from graft.clusters.launcher_rules import has_mounted_home, is_spot
from graft.clusters.ray_start import options_of, resources_of
from graft.clusters.structure import amounts_of, cluster_of, structure_violations
from graft.core.errors import Problem, SpecError

MARKET, ACCELERATOR = "ray.io/market-type", "ray.io/accelerator-type"
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
        if violations := structure_violations(document):
            raise SpecError([Problem("", str(one), str(path)) for one in violations])
        if (found := _nodes_of(document, path)) is not None:
            return found
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
        if (found := _nodes_of(document, path)) is not None:
            return found
    told = "holds no cluster; name what `ray up` has left on the head, or the manifest that KubeRay was given"
    raise SpecError([Problem("", told, str(path))])


def _nodes_of(document: Mapping[str, Any], path: Path) -> ClusterNodes | None:
    """Those of one document; None if it holds no cluster."""
    try:
        if "cluster_name" in document:
            return _of_launcher(document, path)
        found = cluster_of(document)
        return None if found is None else _of_kuberay(found[1])
    except SpecError as error:
        raise SpecError([replace(one, file=str(path)) for one in error.problems]) from error


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
    has = _started_with(config, "worker_start_ray_commands")
    if "CPU" not in has:
        told = "says no --num-cpus, but a plan must know what a machine has; write --num-cpus and --num-gpus"
        raise SpecError([Problem("worker_start_ray_commands", told, str(path))])
    count = min(len(config["provider"].get("worker_ips") or ()), config.get("max_workers", 10**6))
    worker = NodeType("worker", has, most=count, least=count)
    head = NodeType("head", _started_with(config, "head_start_ray_commands"))
    return ClusterNodes("local", head, (worker,), count, 0.0, is_elastic=False)


def _started_with(config: Mapping[str, Any], key: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for at, command in enumerate(config.get(key, ())):
        if "ray start" in command:
            found |= resources_of(f"{key}.{at}", options_of(f"{key}.{at}", command))
    return found


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
    resources = amounts_of(group["groupName"], group)
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

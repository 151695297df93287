"""What the schemas of Ray and KubeRay leave open, and no cluster can do without: shapes, signs, real numbers."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from graft.clusters.quantities import quantity
from graft.clusters.ray_start import options_of, resources_of
from graft.clusters.schema import KUBERAY_KINDS, kuberay_schema, launcher_schema, schema_violations
from graft.clusters.violation import Violation
from graft.core.errors import SpecError

Document = Mapping[str, Any]

# Ray 2.60, autoscaler/_private/providers.py.
_PROVIDERS = (
    "aws", "gcp", "azure", "local", "kuberay", "vsphere", "aliyun", "spark", "external", "readonly", "fake_multinode",
    "fake_multinode_docker",
)  # fmt: skip
_OBJECT = {"type": "object"}
_TEXT = {"type": "string"}
MOST_NODES = 10_000
"""More than any cloud lends at once: what is written above it bounds nothing."""
_COUNT = {"type": "integer", "minimum": 0, "maximum": MOST_NODES}
_RANGES = {"type": "array", "items": _OBJECT}
_PERMISSION = {"type": "object", "properties": {"IpRanges": _RANGES, "Ipv6Ranges": _RANGES}}
_NODE = {"properties": {"min_workers": _COUNT, "max_workers": _COUNT, "labels": {"additionalProperties": _TEXT}}}
_TEXTS = {"type": "array", "items": _TEXT}
_LAUNCHER = {
    "properties": {
        # It becomes a tag, a label, and part of names of machines.
        "cluster_name": {
            "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}$",
            "description": "at most 63 letters, digits, `-` and `_`, a letter first",
        },
        "max_workers": _COUNT,
        "provider": {
            "properties": {
                "type": {"enum": _PROVIDERS},
                "security_group": {
                    "type": "object",
                    "properties": {"IpPermissions": {"type": "array", "items": _PERMISSION}},
                },
                "worker_ips": _TEXTS,
            }
        },
        "file_mounts": {"additionalProperties": _TEXT},
        "available_node_types": {"additionalProperties": _NODE},
    }
}
# What each cloud has to be told, as Ray 2.60 reads it; what Ray would take else is a region or a machine of its own.
_SCHEDULING = {
    "type": ["object", "array"],  # Ray's own examples have a list
    "items": _OBJECT,
    "properties": {"preemptible": {"type": "boolean"}},
}
_AWS_SIZES = r"nano|micro|small|medium|large|\d*xlarge|metal(-\d+xl)?"
_CLOUDS: Mapping[str, tuple[tuple[str, ...], Document]] = {
    "aws": (
        ("region",),
        {
            "required": ["InstanceType"],
            "properties": {
                "InstanceType": {
                    "type": "string",
                    "pattern": rf"^[a-z][a-z0-9-]*\.({_AWS_SIZES})$",
                    "description": "a type of EC2, such as g5.2xlarge",
                },
                "SecurityGroupIds": _TEXTS,
                "InstanceMarketOptions": {
                    "type": "object",
                    "properties": {"MarketType": {"enum": ["spot", "capacity-block"]}},
                },
                "BlockDeviceMappings": _RANGES,
            },
        },
    ),
    "gcp": (
        ("region", "availability_zone", "project_id"),
        {
            "required": ["machineType"],
            "properties": {
                "machineType": _TEXT,
                "disks": _RANGES,
                "guestAccelerators": _RANGES,
                "scheduling": _SCHEDULING,
            },
        },
    ),
    "azure": (
        ("location", "resource_group", "subscription_id"),
        {
            "required": ["azure_arm_parameters"],
            "properties": {
                "azure_arm_parameters": {
                    "type": "object",
                    "required": ["vmSize"],
                    "properties": {"vmSize": _TEXT, "priority": {"enum": ["Regular", "Low", "Spot"]}},
                }
            },
        },
    ),
}
_RESOURCES = {"cpu": "CPU", "gpu": "GPU", "tpu": "TPU"}
_ASKED = {"CPU": "cpu", "GPU": "nvidia.com/gpu"}
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?")
_STARTS = ("head_start_ray_commands", "worker_start_ray_commands")


def structure_violations(document: Document) -> list[Violation]:
    """What is wrong with one document of a cluster file, before anybody's rules are asked.

    Args:
        document: of Ray's launcher, or a manifest of KubeRay.
    """
    if is_launcher(document):
        shapes = (_keys, _by_rays_schema, _by_ours, _by_the_clouds, _numbers)
        return _first(document, *shapes, _own_machines, _launcher_counts, _resource_names, _launcher_starts)
    kind = document.get("kind")
    if document["apiVersion"] != "ray.io/v1" or kind not in KUBERAY_KINDS:
        told = f"is {kind} of {document['apiVersion']}, but must be {', '.join(KUBERAY_KINDS)} of ray.io/v1"
        return [Violation("kind", told, "name one of them")]
    return _first(document, _keys, _by_kuberays_schema, _numbers, _names, _group_counts, _quantities, _group_starts)


def is_launcher(document: Document) -> bool:
    """Whether it is a file of `ray up`."""
    return "cluster_name" in document or "provider" in document


def cluster_of(manifest: Document) -> tuple[str, Document] | None:
    """The specification of the cluster in a manifest, and where it stands."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "RayCluster":
        return "spec", spec
    key = {"RayJob": "rayClusterSpec", "RayService": "rayClusterConfig"}[manifest["kind"]]
    return (f"spec.{key}", spec[key]) if key in spec else None


def amounts_of(key: str, group: Document) -> dict[str, float]:
    """What a pod of a group has, by Ray's names: what it asks for, unless `rayStartParams` say otherwise.

    Args:
        key: where the group stands.
        group: of workers, or the head's.

    Raises:
        SpecError: an amount is none.
    """
    containers = group.get("template", {}).get("spec", {}).get("containers", ())
    asked = (containers[0] if containers else {}).get("resources", {})
    here = f"{key}.template.spec.containers.0.resources"
    amounts = {**asked.get("requests", {}), **asked.get("limits", {})}
    found = {kind: quantity(f"{here}.{name}", amounts.get(name, 0)) for kind, name in _ASKED.items()}
    found |= resources_of(f"{key}.rayStartParams", group.get("rayStartParams", {}))
    return {kind: amount for kind, amount in found.items() if amount or kind == "CPU"}


def _first(document: Document, *checks: Callable[[Document], Iterator[Violation]]) -> list[Violation]:
    """What the first check finds that finds something: the later ones count on it."""
    return next((found for check in checks if (found := list(check(document)))), [])


def _by_rays_schema(config: Document) -> Iterator[Violation]:
    return schema_violations(config, launcher_schema())


def _by_ours(config: Document) -> Iterator[Violation]:
    return schema_violations(config, _LAUNCHER)


def _by_the_clouds(config: Document) -> Iterator[Violation]:
    required, node = _CLOUDS.get(config["provider"]["type"], ((), {}))
    provider = {"required": required}
    types = {"additionalProperties": {"properties": {"node_config": node}}}
    yield from schema_violations(config, {"properties": {"provider": provider, "available_node_types": types}})


def _by_kuberays_schema(manifest: Document) -> Iterator[Violation]:
    return schema_violations(manifest, kuberay_schema(manifest["kind"]))


def _keys(document: Document) -> Iterator[Violation]:
    """YAML makes numbers and truths of keys such as ``1`` and ``on``, which no schema knows what to do with."""
    for key, value in _parts(document):
        for name in value if isinstance(value, Mapping) else ():
            if not isinstance(name, str):
                told = f"has the key `{name}`, but keys must be texts"
                yield Violation(key or "the document", told, f'write it in quotes, as in "{name}"')


def _numbers(document: Document) -> Iterator[Violation]:
    """YAML has ``.nan`` and ``.inf``, which pass every bound of a schema, or all but one."""
    for key, value in _parts(document):
        if isinstance(value, float) and not math.isfinite(value):
            yield Violation(key, f"is {value}, but must be a number", "write one")


def _parts(document: Document) -> Iterator[tuple[str, Any]]:
    """All that a document holds, with their dotted keys; each part once."""
    seen: set[int] = set()  # a document may hold a part of it twice, or itself
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        yield key, value
        if not isinstance(value, Mapping | list) or id(value) in seen:
            continue
        seen.add(id(value))
        inside = value.items() if isinstance(value, Mapping) else enumerate(value)
        waiting += [(f"{key}.{name}".lstrip("."), one) for name, one in inside]


def _own_machines(config: Document) -> Iterator[Violation]:
    provider = config["provider"]
    if provider["type"] != "local" or "coordinator_address" in provider:
        return
    for name, what in (("head_ip", "address of the head"), ("worker_ips", "addresses of the other machines")):
        if not provider.get(name):
            yield Violation(f"provider.{name}", f"is missing, but must be the {what}", "write it")
    machines = [provider.get("head_ip")]
    for at, address in enumerate(provider.get("worker_ips") or ()):
        if address in machines:
            told = f"is {address}, but another machine of this cluster has that address"
            yield Violation(f"provider.worker_ips.{at}", told, "name each machine once")
        machines.append(address)
    if (most := config.get("max_workers", math.inf)) < len(machines) - 1:
        told = f"is {most}, but provider.worker_ips has {len(machines) - 1}"
        yield Violation("max_workers", told, f"write {len(machines) - 1}")


def _launcher_counts(config: Document) -> Iterator[Violation]:
    for name, node in config.get("available_node_types", {}).items():
        least, most = node.get("min_workers", 0), node.get("max_workers", config.get("max_workers", math.inf))
        if least > most:
            told = f"is {least}, but max_workers leaves room for {most}"
            yield Violation(f"available_node_types.{name}.min_workers", told, "write 0")


def _resource_names(config: Document) -> Iterator[Violation]:
    """Ray takes any name for a resource of one's own; ``gpu`` is one that no trial asks for."""
    for name, node in config.get("available_node_types", {}).items():
        for given in node.get("resources", {}):
            wanted = _RESOURCES.get(given.lower(), given)
            if given != wanted:
                told = f"is a resource that nothing asks for, because Ray's own is `{wanted}`"
                yield Violation(f"available_node_types.{name}.resources.{given}", told, f"write `{wanted}`")


def _launcher_starts(config: Document) -> Iterator[Violation]:
    for name in _STARTS:
        for at, command in enumerate(config.get(name, ())):
            if "ray start" in command:
                yield from _refused(partial(_of_command, f"{name}.{at}", command))


def _of_command(key: str, command: str) -> None:
    options = options_of(key, command)
    resources_of(key, {name: value for name, value in options.items() if "$" not in value})  # a shell fills it in


def _names(manifest: Document) -> Iterator[Violation]:
    """Names of a cluster and its groups become part of those of pods and services."""
    named = [("metadata.name", manifest.get("metadata", {}).get("name", ""))]
    named += [(f"{key}.groupName", group["groupName"]) for key, group in _groups(manifest)]
    for key, name in named:
        if not _LABEL.fullmatch(str(name)):
            told = f"is `{name}`, but must have at most 50 lower-case letters, digits and `-`, and begin with a letter"
            yield Violation(key, told, "name it so" if name else "write one")


def _group_counts(manifest: Document) -> Iterator[Violation]:
    names: set[str] = set()
    for key, group in _groups(manifest):
        for name, lowest in (("minReplicas", 0), ("maxReplicas", 0), ("numOfHosts", 1)):
            if group.get(name, lowest) < lowest:
                yield Violation(f"{key}.{name}", f"is {group[name]}, but must be at least {lowest}", f"write {lowest}")
        if group.get("maxReplicas", 0) > MOST_NODES:
            told = f"is {group['maxReplicas']}, but must be at most {MOST_NODES}: it bounds what the cluster can cost"
            yield Violation(f"{key}.maxReplicas", told, "write the most pods")
        least, most = group.get("minReplicas", 0), group.get("maxReplicas", math.inf)
        if 0 <= most < least:
            yield Violation(f"{key}.minReplicas", f"is {least}, but maxReplicas is {most}", "write 0")
        if group["groupName"] in names:
            told = f"is `{group['groupName']}`, but another group has that name"
            yield Violation(f"{key}.groupName", told, "name it otherwise")
        names.add(group["groupName"])


def _quantities(manifest: Document) -> Iterator[Violation]:
    for key, group in _all_groups(manifest):
        for at, container in enumerate(group.get("template", {}).get("spec", {}).get("containers", ())):
            for kind in ("requests", "limits"):
                here = f"{key}.template.spec.containers.{at}.resources.{kind}"
                for name, amount in container.get("resources", {}).get(kind, {}).items():
                    yield from _refused(partial(quantity, f"{here}.{name}", amount))


def _group_starts(manifest: Document) -> Iterator[Violation]:
    for key, group in _all_groups(manifest):
        yield from _refused(partial(amounts_of, key, group))


def _all_groups(manifest: Document) -> Iterator[tuple[str, Document]]:
    found = cluster_of(manifest)
    if found is not None:
        yield f"{found[0]}.headGroupSpec", found[1].get("headGroupSpec", {})
    yield from _groups(manifest)


def _groups(manifest: Document) -> Iterator[tuple[str, Document]]:
    found = cluster_of(manifest)
    if found is not None:
        key, spec = found
        for at, group in enumerate(spec.get("workerGroupSpecs", ())):
            yield f"{key}.workerGroupSpecs.{at}", group


def _refused(read: Callable[[], object]) -> Iterator[Violation]:
    """What a reading of ours refuses, as a rule that is broken."""
    try:
        read()
    except SpecError as error:
        for problem in error.problems:
            rule, _, fix = problem.message.rpartition("; ")
            yield Violation(problem.where, rule, fix)

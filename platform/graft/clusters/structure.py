"""What the schemas of Ray and KubeRay leave open, and no cluster can do without: shapes, signs, real numbers."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from graft.clusters.quantities import quantity
from graft.clusters.ray_start import options_of, resources_of
from graft.clusters.schema import KUBERAY_KINDS, kuberay_schema, launcher_schema, schema_violations
from graft.clusters.violation import Violation
from graft.core.errors import SpecError

# Ray 2.60, autoscaler/_private/providers.py.
_PROVIDERS = (
    "aws", "gcp", "azure", "local", "kuberay", "vsphere", "aliyun", "spark", "external", "readonly", "fake_multinode",
    "fake_multinode_docker",
)  # fmt: skip
_OBJECT = {"type": "object"}
_COUNT = {"type": "integer", "minimum": 0}
_RANGES = {"type": "array", "items": _OBJECT}
_PERMISSION = {"type": "object", "properties": {"IpRanges": _RANGES, "Ipv6Ranges": _RANGES}}
_NODE = {
    "properties": {
        "min_workers": _COUNT,
        "max_workers": _COUNT,
        "node_config": {
            "properties": {
                "InstanceMarketOptions": _OBJECT,
                # Ray's own examples for Google Cloud have a list here.
                "scheduling": {"type": ["object", "array"], "items": _OBJECT},
                "azure_arm_parameters": _OBJECT,
            }
        },
    }
}
_LAUNCHER = {
    "properties": {
        "provider": {
            "properties": {
                "type": {"enum": _PROVIDERS},
                "security_group": {
                    "type": "object",
                    "properties": {"IpPermissions": {"type": "array", "items": _PERMISSION}},
                },
                "worker_ips": {"type": "array", "items": {"type": "string"}},
            }
        },
        "available_node_types": {"additionalProperties": _NODE},
    }
}
_ASKED = {"CPU": "cpu", "GPU": "nvidia.com/gpu"}
_STARTS = ("head_start_ray_commands", "worker_start_ray_commands")

Document = Mapping[str, Any]


def structure_violations(document: Document) -> list[Violation]:
    """What is wrong with one document of a cluster file, before anybody's rules are asked.

    Args:
        document: of Ray's launcher, or a manifest of KubeRay.
    """
    if is_launcher(document):
        return _first(document, _by_rays_schema, _by_ours, _numbers, _own_machines, _launcher_counts, _launcher_starts)
    kind = document.get("kind")
    if document["apiVersion"] != "ray.io/v1" or kind not in KUBERAY_KINDS:
        told = f"is {kind} of {document['apiVersion']}, but must be {', '.join(KUBERAY_KINDS)} of ray.io/v1"
        return [Violation("kind", told, "name one of them")]
    return _first(document, _by_kuberays_schema, _numbers, _group_counts, _group_starts)


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
    amounts = {**asked.get("requests", {}), **asked.get("limits", {})}
    here = f"{key}.template.spec.containers.0.resources"
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


def _by_kuberays_schema(manifest: Document) -> Iterator[Violation]:
    return schema_violations(manifest, kuberay_schema(manifest["kind"]))


def _numbers(document: Document) -> Iterator[Violation]:
    """YAML has ``.nan`` and ``.inf``, which pass every bound of a schema, or all but one."""
    seen: set[int] = set()  # a document may hold a part of it twice, or itself
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            yield Violation(key, f"is {value}, but must be a number", "write one")
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


def _launcher_counts(config: Document) -> Iterator[Violation]:
    for name, node in config.get("available_node_types", {}).items():
        least, most = node.get("min_workers", 0), node.get("max_workers", config.get("max_workers", math.inf))
        if least > most:
            told = f"is {least}, but max_workers leaves room for {most}"
            yield Violation(f"available_node_types.{name}.min_workers", told, "write 0")


def _launcher_starts(config: Document) -> Iterator[Violation]:
    for name in _STARTS:
        for at, command in enumerate(config.get(name, ())):
            if "ray start" in command:
                yield from _refused(partial(_of_command, f"{name}.{at}", command))


def _of_command(key: str, command: str) -> None:
    options = options_of(key, command)
    resources_of(key, {name: value for name, value in options.items() if "$" not in value})  # a shell fills it in


def _group_counts(manifest: Document) -> Iterator[Violation]:
    names: set[str] = set()
    for key, group in _groups(manifest):
        for name, lowest in (("minReplicas", 0), ("maxReplicas", 0), ("numOfHosts", 1)):
            if group.get(name, lowest) < lowest:
                yield Violation(f"{key}.{name}", f"is {group[name]}, but must be at least {lowest}", f"write {lowest}")
        least, most = group.get("minReplicas", 0), group.get("maxReplicas", math.inf)
        if 0 <= most < least:
            yield Violation(f"{key}.minReplicas", f"is {least}, but maxReplicas is {most}", "write 0")
        if group["groupName"] in names:
            told = f"is `{group['groupName']}`, but another group has that name"
            yield Violation(f"{key}.groupName", told, "name it otherwise")
        names.add(group["groupName"])


def _group_starts(manifest: Document) -> Iterator[Violation]:
    found = cluster_of(manifest)
    head = [] if found is None else [(f"{found[0]}.headGroupSpec", found[1].get("headGroupSpec", {}))]
    for key, group in [*head, *_groups(manifest)]:
        yield from _refused(partial(amounts_of, key, group))


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

"""Faults of KubeRay's manifests, each told in one line under its key."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from graft.clusters.check import check_file
from graft.clusters.make import ClusterSettings, make_cluster_file

Document = dict[str, Any]
Spoil = Callable[[Document], object]

POD = "spec.workerGroupSpecs.1.template.spec"
CONTAINER = f"{POD}.containers.0"
FIRST = "spec.headGroupSpec.template.spec.containers.0"


def document() -> Document:
    """Without the anchors that make parts of it the same object."""
    made: Document = json.loads(json.dumps(yaml.safe_load(make_cluster_file("kuberay", ClusterSettings()))))
    return made


def group(manifest: Document) -> Document:
    found: Document = manifest["spec"]["workerGroupSpecs"][1]
    return found


def pod(manifest: Document) -> Document:
    found: Document = group(manifest)["template"]["spec"]
    return found


def container(manifest: Document) -> Document:
    found: Document = pod(manifest)["containers"][0]
    return found


def head(manifest: Document) -> Document:
    found: Document = manifest["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    return found


def amounts(kind: str, **given: str) -> Spoil:
    return lambda m: container(m)["resources"][kind].update(
        {name.replace("_", "/"): one for name, one in given.items()}
    )


def idle(seconds: int) -> Spoil:
    return lambda m: m["spec"]["autoscalerOptions"].update(idleTimeoutSeconds=seconds)


FAULTS: Mapping[str, tuple[Spoil, str]] = {
    "no name": (lambda m: m["metadata"].pop("name"), "metadata.name: is ``, but must have at most 50"),
    "a name in capitals": (lambda m: m["metadata"].update(name="Graft"), "metadata.name: is `Graft`"),
    "a group of another name": (
        lambda m: group(m).update(groupName="gpu_spot"),
        "spec.workerGroupSpecs.1.groupName: is `gpu_spot`",
    ),
    "no bound": (
        lambda m: group(m).update(maxReplicas=10**6),
        "spec.workerGroupSpecs.1.maxReplicas: is 1000000, but must be at most 10000",
    ),
    "idle for hours": (idle(36_000), "spec.autoscalerOptions.idleTimeoutSeconds: is 36000, but must be 1 to 1800"),
    "idle for less than nothing": (idle(-1), "spec.autoscalerOptions.idleTimeoutSeconds: is -1"),
    "no container": (lambda m: pod(m).update(containers=[]), f"{POD}.containers: has none"),
    "memory in words": (amounts("limits", memory="32 GB"), f"{CONTAINER}.resources.limits.memory: is `32 GB`"),
    "less than nothing": (amounts("limits", cpu="-1"), f"{CONTAINER}.resources.limits.cpu: is `-1`"),
    "more than the limit": (
        amounts("requests", memory="64Gi"),
        f"{CONTAINER}.resources.requests.memory: is 64Gi, but the limit is 32Gi",
    ),
    "half a GPU": (
        amounts("limits", **{"nvidia.com_gpu": "0.5"}),
        f"{CONTAINER}.resources.limits.nvidia.com/gpu: is 0.5, but must be a whole number",
    ),
    "fewer GPUs than the limit": (
        amounts("requests", **{"nvidia.com_gpu": "0"}),
        f"{CONTAINER}.resources.requests.nvidia.com/gpu: is 0, but the limit is 1",
    ),
    "all rights": (
        lambda m: container(m)["securityContext"].update(privileged=True),
        f"{CONTAINER}.securityContext.privileged: gives a pod what is the node's",
    ),
    "root by its number": (
        lambda m: pod(m)["securityContext"].update(runAsUser=0),
        f"{CONTAINER}.securityContext.runAsNonRoot: may run as root",
    ),
    "the node's network": (lambda m: pod(m).update(hostNetwork=True), f"{POD}.hostNetwork: gives a pod"),
    "the node's disk": (
        lambda m: pod(m)["volumes"].append({"name": "root", "hostPath": {"path": "/"}}),
        f"{POD}.volumes.1.hostPath: gives a pod",
    ),
    "the node's port": (
        lambda m: head(m).update(ports=[{"containerPort": 8265, "hostPort": 8265}]),
        f"{FIRST}.ports.0.hostPort: gives a pod",
    ),
    "a volume that is none": (
        lambda m: container(m)["volumeMounts"].append({"name": "data", "mountPath": "/data"}),
        f"{CONTAINER}.volumeMounts.1.name: is data, but the pod has shared",
    ),
    "a mode without a token": (
        lambda m: container(m)["env"].append({"name": "RAY_AUTH_MODE", "value": "disabled"}),
        f"{CONTAINER}.env.1: is RAY_AUTH_MODE=disabled",
    ),
    "a variable twice": (
        lambda m: container(m)["env"].append({"name": "GRAFT_HOME", "value": "/shared/graft"}),
        f"{CONTAINER}.env.1: is GRAFT_HOME again",
    ),
    "two homes": (
        lambda m: container(m)["env"][0].update(value="/shared/other"),
        "spec.workerGroupSpecs.2.template.spec.containers.0.env.0: is /shared/graft and /shared/other",
    ),
    "a home that is relative": (
        lambda m: container(m)["env"][0].update(value="graft"),
        f"{CONTAINER}.env.0: is graft, but must be a path from the root",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    spoil, line = FAULTS[name]
    manifest = document()
    spoil(manifest)
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(manifest))
    (found,) = map(str, check_file(file))
    assert found.startswith(line)
    assert "; " in found, "what to do"

"""Our rules for KubeRay's resources: safe, cheap when idle, and nothing lost with a spot node."""

from collections.abc import Iterator, Mapping
from typing import Any

from graft.clusters.homes import home_violation, path_on_nodes
from graft.clusters.launcher_rules import LONGEST_IDLE_MINUTES
from graft.clusters.quantities import quantity
from graft.clusters.service_rules import service_violations
from graft.clusters.structure import cluster_of
from graft.clusters.violation import Violation, is_pinned

_GPU = "nvidia.com/gpu"

Manifest = Mapping[str, Any]


def kuberay_violations(manifest: Manifest) -> Iterator[Violation]:
    """What our rules refuse in a manifest whose structure KubeRay's schema has accepted."""
    if manifest["kind"] == "RayService":
        yield from service_violations(manifest)
    found = cluster_of(manifest)
    if found is None:
        if manifest["kind"] == "RayJob" and not manifest.get("spec", {}).get("clusterSelector"):
            told = "is missing, and so is clusterSelector: the job has no cluster to run on"
            yield Violation("spec.rayClusterSpec", told, "say one of the two")
        return
    key, spec = found
    yield from _token(key, spec)
    yield from _scaling(key, spec)
    if manifest["kind"] != "RayService":
        yield from _drivers(key, spec)
    yield from _groups(key, spec)
    homes: dict[str, str] = {}
    for at, pod in _pods(key, spec):
        yield from _pod(at, pod)
        homes |= _home_of(at, pod)
    if len(set(homes.values())) > 1 and not any(home_violation("", home) for home in homes.values()):
        told = f"is {' and '.join(dict.fromkeys(homes.values()))}, but must be one for all pods"
        yield Violation([*homes][-1], told, "write the same: what one writes, the others have to find")


def _token(key: str, spec: Manifest) -> Iterator[Violation]:
    mode = spec.get("authOptions", {}).get("mode")
    if mode != "token":
        told = f"is {mode or 'missing'}, but must be token: whoever reaches the Jobs API could run code"
        yield Violation(f"{key}.authOptions.mode", told, "write `token`")
    service = spec.get("headGroupSpec", {}).get("serviceType", "ClusterIP")
    if service != "ClusterIP":
        told = f"is {service}, but must be ClusterIP: the dashboard and the Jobs API are for the cluster alone"
        yield Violation(f"{key}.headGroupSpec.serviceType", told, "use `kubectl port-forward`")


def _scaling(key: str, spec: Manifest) -> Iterator[Violation]:
    if not spec.get("enableInTreeAutoscaling"):
        yield Violation(f"{key}.enableInTreeAutoscaling", "is not true, so no node ever comes", "write `true`")
    if spec.get("autoscalerOptions", {}).get("version") != "v2":
        told = "is not v2, but only v2 brings the first node of a group by its labels"
        yield Violation(f"{key}.autoscalerOptions.version", told, "write `v2`")
    idle = spec.get("autoscalerOptions", {}).get("idleTimeoutSeconds", 60)
    if not 0 < idle <= LONGEST_IDLE_MINUTES * 60:
        told = f"is {idle}, but must be 1 to {LONGEST_IDLE_MINUTES * 60}: idle nodes are paid for"
        yield Violation(f"{key}.autoscalerOptions.idleTimeoutSeconds", told, "write 60")
    head = spec.get("headGroupSpec", {}).get("rayStartParams", {})
    if head.get("num-cpus") != "0":
        told = "gives the head's CPUs to trials, but a trial that takes its memory takes the cluster with it"
        yield Violation(f"{key}.headGroupSpec.rayStartParams.num-cpus", told, 'write `num-cpus: "0"`')


def _drivers(key: str, spec: Manifest) -> Iterator[Violation]:
    head = spec.get("headGroupSpec", {}).get("rayStartParams", {})
    if "safe" not in head.get("resources", ""):
        told = "has no `safe`, but drivers of jobs are placed by it, on a pod that is not taken away"
        yield Violation(f"{key}.headGroupSpec.rayStartParams.resources", told, 'write `"\'{\\"safe\\": 16}\'"`')


def _groups(key: str, spec: Manifest) -> Iterator[Violation]:
    for at, group in enumerate(spec.get("workerGroupSpecs", ())):
        here = f"{key}.workerGroupSpecs.{at}"
        for name in ("minReplicas", "replicas"):
            if group.get(name):
                told = f"is {group[name]}, but must be 0: pods come when trials ask for them"
                yield Violation(f"{here}.{name}", told, "write 0")
        pod = group.get("template", {}).get("spec", {})
        if _asks_for_gpus(pod) and not pod.get("tolerations"):
            told = "has no tolerations, but GPU pools keep everybody out who does not tolerate their taint"
            yield Violation(f"{here}.template.spec.tolerations", told, "tolerate `nvidia.com/gpu`")
        if group.get("labels", {}).get("ray.io/market-type") == "spot" and not has_shared_home(pod):
            told = "has no GRAFT_HOME on a volume that is claimed, but a spot pod takes its own disk with it"
            fix = "mount a persistentVolumeClaim at GRAFT_HOME, or name a store there"
            yield Violation(f"{here}.template.spec.volumes", told, fix)


def _pods(key: str, spec: Manifest) -> Iterator[tuple[str, Manifest]]:
    yield f"{key}.headGroupSpec.template.spec", spec.get("headGroupSpec", {}).get("template", {}).get("spec", {})
    for at, group in enumerate(spec.get("workerGroupSpecs", ())):
        yield f"{key}.workerGroupSpecs.{at}.template.spec", group.get("template", {}).get("spec", {})


def _pod(key: str, pod: Manifest) -> Iterator[Violation]:
    yield from _rights_of_the_node(key, pod)
    containers = pod.get("containers", ())
    if not containers:
        yield Violation(f"{key}.containers", "has none, but Ray runs in the first", "write it")
    for at, container in enumerate(containers):
        yield from _amounts(f"{key}.containers.{at}.resources", container.get("resources", {}))
        yield from _mounts(f"{key}.containers.{at}", pod, container)
        here, reference = f"{key}.containers.{at}", container.get("image", "")
        if not is_pinned(reference):
            told = f"is `{reference}`, but must name a version: pods that join later would have another"
            yield Violation(f"{here}.image", told, "name a tag or a digest")
        if not container.get("resources", {}).get("limits", {}).get("memory"):
            told = "has no limit of memory, but Ray counts on the one it sees"
            yield Violation(f"{here}.resources.limits.memory", told, "say it")
        if not _is_unprivileged(pod, container):
            told = "may run as root, but must not: a pickled task has all rights of its pod"
            fix = "write `true`, and no `runAsUser: 0`"
            yield Violation(f"{here}.securityContext.runAsNonRoot", told, fix)
        yield from _variables(here, container)


def _variables(key: str, container: Manifest) -> Iterator[Violation]:
    names: list[str] = []
    for at, variable in enumerate(container.get("env", ())):
        here, name, value = f"{key}.env.{at}", variable["name"], variable.get("value")
        if name in names:
            yield Violation(here, f"is {name} again, and the last counts without a word", "say it once")
        names.append(name)
        if name == "RAY_AUTH_MODE" and value != "token":
            told = f"is RAY_AUTH_MODE={value}, but must be token: whoever reaches Ray's port could run code"
            yield Violation(here, told, "leave it out; authOptions sets it")
        if name == "GRAFT_HOME" and value and (wrong := home_violation(here, value)) is not None:
            yield wrong
        if _is_secret(variable):
            told = f"holds {name} in plain text, but manifests are kept by version control"
            yield Violation(here, told, "take it by `valueFrom.secretKeyRef`")


def _rights_of_the_node(key: str, pod: Manifest) -> Iterator[Violation]:
    """What brings a pod out of its container: a pickled task has all of it."""
    open_doors = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    open_doors += [f"volumes.{at}.hostPath" for at, one in enumerate(pod.get("volumes", ())) if "hostPath" in one]
    for at, container in enumerate(pod.get("containers", ())):
        here = f"containers.{at}"
        if container.get("securityContext", {}).get("privileged"):
            open_doors.append(f"{here}.securityContext.privileged")
        ports = enumerate(container.get("ports", ()))
        open_doors += [f"{here}.ports.{place}.hostPort" for place, port in ports if port.get("hostPort")]
    for name in open_doors:
        yield Violation(
            f"{key}.{name}", "gives a pod what is the node's, but a pickled task has it then", "leave it out"
        )


def _amounts(key: str, resources: Manifest) -> Iterator[Violation]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    if quantity(key, limits.get(_GPU, 0)) % 1:
        yield Violation(f"{key}.limits.{_GPU}", f"is {limits[_GPU]}, but must be a whole number", "write one")
        return
    for name in [name for name in requests if name in limits]:
        least, most = quantity(key, requests[name]), quantity(key, limits[name])
        if least > most or (name == _GPU and least != most):
            told = f"is {requests[name]}, but the limit is {limits[name]}, and Kubernetes refuses the pod then"
            yield Violation(f"{key}.requests.{name}", told, f"write {limits[name]}")


def _mounts(key: str, pod: Manifest, container: Manifest) -> Iterator[Violation]:
    volumes = [one["name"] for one in pod.get("volumes", ())]
    for at, mount in enumerate(container.get("volumeMounts", ())):
        if mount["name"] not in volumes:
            told = f"is {mount['name']}, but the pod has {'no volume' if not volumes else ', '.join(volumes)}"
            yield Violation(f"{key}.volumeMounts.{at}.name", told, "name one of its volumes")


def _home_of(key: str, pod: Manifest) -> dict[str, str]:
    """Where GRAFT_HOME stands in a pod, and what it is."""
    return {
        f"{key}.containers.{at}.env.{place}": variable["value"]
        for at, container in enumerate(pod.get("containers", ()))
        for place, variable in enumerate(container.get("env", ()))
        if variable["name"] == "GRAFT_HOME" and variable.get("value")
    }


def _is_unprivileged(pod: Manifest, container: Manifest) -> bool:
    own, of_pod = container.get("securityContext", {}), pod.get("securityContext", {})
    is_user = own.get("runAsUser", of_pod.get("runAsUser", 1)) != 0
    return is_user and bool(own.get("runAsNonRoot", of_pod.get("runAsNonRoot")))


def _is_secret(variable: Manifest) -> bool:
    words = ("TOKEN", "PASSWORD", "SECRET", "ACCESS_KEY", "ACCOUNT_KEY", "CONNECTION_STRING")
    return bool(variable.get("value")) and any(word in variable.get("name", "").upper() for word in words)


def _asks_for_gpus(pod: Manifest) -> bool:
    limits = (one.get("resources", {}).get("limits", {}) for one in pod.get("containers", ()))
    return any(_GPU in one for one in limits)


def has_shared_home(pod: Manifest) -> bool:
    """Whether GRAFT_HOME of a pod outlives it: in a store, or on a volume that is claimed."""
    claimed = {one["name"] for one in pod.get("volumes", ()) if "persistentVolumeClaim" in one}
    for container in pod.get("containers", ()):
        homes = [one.get("value", "") for one in container.get("env", ()) if one.get("name") == "GRAFT_HOME"]
        mounts = tuple(one["mountPath"] for one in container.get("volumeMounts", ()) if one["name"] in claimed)
        if any(not (path := path_on_nodes(home)) or path.startswith(mounts) for home in filter(None, homes)):
            return True
    return False

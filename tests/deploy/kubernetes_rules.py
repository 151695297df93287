"""What we ask of Kubernetes' resources beside their schemas: nobody is root, all references lead somewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graft.clusters.violation import is_pinned

Manifest = Mapping[str, Any]
# Made by `kubectl create secret`, as deploy/README.md says, and by `graft cluster make kuberay`.
SECRETS = {
    "graft-mlflow": {"database-password", "admin-password", "session-key", "store-access-key", "store-secret-key"},
    "graft-grafana": {"admin-password"},
    "graft-token": {"auth_token"},
}
# For good, once: they are no service, and nobody probes them.
_JOBS = ("Job", "CronJob")


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """What the resources of one overlay break of our rules."""
    for manifest in manifests:
        pod = pod_of(manifest)
        if pod is not None:
            name = f"{manifest['kind']}/{manifest['metadata']['name']}"
            yield from (f"{name}: {told}" for told in _pod(pod, manifest))
            yield from (f"{name}: {told}" for told in _references(pod, manifest, manifests))
    yield from _services(manifests)
    yield from _closed(manifests)


def pod_of(manifest: Manifest) -> Manifest | None:
    """The specification of the pods that a resource makes."""
    match manifest["kind"]:
        case "Deployment" | "StatefulSet" | "Job":
            return dict(manifest["spec"]["template"]["spec"])
        case "CronJob":
            return dict(manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"])
        case "RayJob":
            return dict(manifest["spec"]["submitterPodTemplate"]["spec"])
    return None


def _pod(pod: Manifest, owner: Manifest) -> Iterator[str]:
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "may run as root, or without seccomp"
    if pod.get("automountServiceAccountToken", True) and "serviceAccountName" not in pod:
        yield "gets a token of Kubernetes' API, and needs none"
    for container in pod["containers"]:
        if not is_pinned(container["image"]):
            yield f"image {container['image']} names no version"
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield "keeps capabilities"
        resources = container.get("resources", {})
        if not resources.get("limits", {}).get("memory") or not resources.get("requests", {}).get("cpu"):
            yield "has no limit of memory, or asks for no CPU"
        if owner["kind"] not in (*_JOBS, "RayJob"):
            yield from (f"has no {probe}" for probe in ("readinessProbe", "livenessProbe") if probe not in container)
        yield from _variables(container)


def _variables(container: Manifest) -> Iterator[str]:
    for variable in container.get("env", ()):
        name, reference = variable["name"], variable.get("valueFrom", {}).get("secretKeyRef")
        if reference is not None and reference["key"] not in SECRETS.get(reference["name"], ()):
            yield f"{name} comes from {reference['name']}/{reference['key']}, which nobody makes"
        words = ("PASSWORD", "SECRET", "TOKEN", "ACCESS_KEY")
        if reference is None and any(word in name for word in words):
            yield f"{name} is written down, but must be a reference to a secret"


def _references(pod: Manifest, owner: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    known = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    claims = {one["metadata"]["name"] for one in owner["spec"].get("volumeClaimTemplates", ())}
    volumes = {one["name"] for one in pod.get("volumes", ())} | claims
    for volume in pod.get("volumes", ()):
        wanted = {
            "ConfigMap": volume.get("configMap", {}).get("name"),
            "PersistentVolumeClaim": volume.get("persistentVolumeClaim", {}).get("claimName"),
        }
        yield from (
            f"{kind} {name} is not there" for kind, name in wanted.items() if name and (kind, name) not in known
        )
    mounts = [mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", ())]
    yield from (f"mounts {name}, which is no volume" for name in sorted(set(mounts) - volumes))
    account = pod.get("serviceAccountName")
    if account and ("ServiceAccount", account) not in known:
        yield f"ServiceAccount {account} is not there"


def _services(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Each service has pods, with a port of its name; each way in leads to a service."""
    made = [one for one in manifests if one["kind"] in ("Deployment", "StatefulSet")]
    services = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "Service"}
    for name, service in services.items():
        selector = service["spec"]["selector"]
        pods = [one for one in made if selector.items() <= one["spec"]["template"]["metadata"]["labels"].items()]
        ports = {port["name"] for one in pods for box in one["spec"]["template"]["spec"]["containers"]
                 for port in box.get("ports", ())}  # fmt: skip
        if not pods:
            yield f"Service/{name}: selects no pod"
        yield from (f"Service/{name}: no pod has port {one['targetPort']}" for one in service["spec"]["ports"]
                    if one["targetPort"] not in ports)  # fmt: skip
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"Service/{name}: is open to other machines without TLS"
    for ingress in (one for one in manifests if one["kind"] == "Ingress"):
        hosts = {host for one in ingress["spec"].get("tls", ()) for host in one["hosts"]}
        for rule in ingress["spec"]["rules"]:
            if rule["host"] not in hosts:
                yield f"Ingress/{ingress['metadata']['name']}: {rule['host']} is not encrypted"
            for path in rule["http"]["paths"]:
                if path["backend"]["service"]["name"] not in services:
                    yield f"Ingress/{ingress['metadata']['name']}: leads to {path['backend']['service']['name']}"


def _closed(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Nobody reaches anybody unless a policy says so, and policies are about pods that there are."""
    policies = [one for one in manifests if one["kind"] == "NetworkPolicy"]
    if not any(one["spec"]["podSelector"] == {} and "ingress" not in one["spec"] for one in policies):
        yield "NetworkPolicy: none closes what the others do not open"
    named = {one["metadata"]["name"] for one in manifests if one["kind"] == "Service"}
    opened = {one["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name") for one in policies}
    yield from (f"NetworkPolicy: {name} is for a pod that is not there" for name in sorted((opened - {None}) - named))

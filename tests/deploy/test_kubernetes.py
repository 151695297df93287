"""Kubernetes' manifests, built by kustomize: their schemas, KubeRay's, and our rules."""

import copy
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.deploy.conftest import Run
from tests.deploy.kubernetes_rules import SECRETS, pod_of, problems

from graft.clusters.check import check_file
from graft.clusters.make import make_cluster_file, settings_of

OVERLAYS = ("single-node", "cloud")
Manifests = list[dict[str, Any]]


@pytest.fixture(scope="module")
def overlays(deploy: Path, tool: Run) -> Mapping[str, Manifests]:
    """What kustomize makes of each overlay, beside what is applied by itself."""
    jobs = [yaml.safe_load(path.read_text()) for path in (deploy / "kubernetes" / "jobs").glob("*.yaml")]
    folder = deploy / "kubernetes" / "overlays"
    assert sorted(path.name for path in folder.iterdir()) == sorted(OVERLAYS)
    return {name: [*yaml.safe_load_all(tool("kubectl", "kustomize", folder / name)), *jobs] for name in OVERLAYS}


def test_kubernetes_would_take_it(overlays: Mapping[str, Manifests]) -> None:
    every = [one for name in OVERLAYS for one in overlays[name] if not one["apiVersion"].startswith("ray.io/")]
    different = {json.dumps(one, sort_keys=True): one for one in every}
    assert len(different) > 30
    for manifest in different.values():
        kubernetes_validate.validate(manifest, "1.33", strict=True)


def test_what_kubernetes_would_not_take_is_found(overlays: Mapping[str, Manifests]) -> None:
    faulty = copy.deepcopy(find(overlays["cloud"], "Deployment", "mlflow"))
    faulty["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(faulty, "1.33", strict=True)


def test_kuberay_would_take_the_job(deploy: Path) -> None:
    assert check_file(deploy / "kubernetes" / "jobs" / "digits.yaml") == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_wrong_with_it(overlays: Mapping[str, Manifests], overlay: str) -> None:
    assert list(problems(overlays[overlay])) == []


def find(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    return next(one for one in manifests if (one["kind"], one["metadata"]["name"]) == (kind, name))


def box(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = find(manifests, kind, name)["spec"]["template"]["spec"]["containers"][0]
    return found


def pod(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    return dict[str, Any](find(manifests, kind, name)["spec"]["template"]["spec"])


Plant = Callable[[Manifests], object]
PLANTED: dict[str, tuple[Plant, str]] = {
    "latest": (lambda m: box(m, "Deployment", "grafana").update(image="grafana/grafana"), "names no version"),
    "root": (lambda m: pod(m, "StatefulSet", "postgres")["securityContext"].pop("runAsNonRoot"), "may run as root"),
    "memory": (lambda m: box(m, "StatefulSet", "store")["resources"].pop("limits"), "has no limit of memory"),
    "probe": (lambda m: box(m, "Deployment", "mlflow").pop("livenessProbe"), "has no livenessProbe"),
    "password": (
        lambda m: box(m, "Deployment", "mlflow")["env"].append({"name": "A_PASSWORD", "value": "geheim"}),
        "A_PASSWORD is written down",
    ),
    "secret": (
        lambda m: box(m, "StatefulSet", "postgres")["env"][-1]["valueFrom"]["secretKeyRef"].update(key="pasword"),
        "which nobody makes",
    ),
    "port": (lambda m: find(m, "Service", "mlflow")["spec"]["ports"][0].update(targetPort="https"), "no pod has port"),
    "open": (lambda m: find(m, "Service", "grafana")["spec"].update(type="LoadBalancer"), "is open to other machines"),
    "policy": (lambda m: m.remove(find(m, "NetworkPolicy", "nobody")), "none closes what the others do not open"),
    "tls": (lambda m: find(m, "Ingress", "graft")["spec"].pop("tls"), "is not encrypted"),
    "claim": (lambda m: m.remove(find(m, "PersistentVolumeClaim", "backups")), "backups is not there"),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(overlays: Mapping[str, Manifests], fault: str) -> None:
    manifests = copy.deepcopy(overlays["cloud"])
    plant, told = PLANTED[fault]
    plant(manifests)
    assert [one for one in problems(manifests) if told in one]


def test_the_cluster_of_graft_fits_in(overlays: Mapping[str, Manifests], deploy: Path) -> None:
    """What `graft cluster make kuberay` writes mounts a claim that is there, and the job finds it by its name."""
    text = make_cluster_file("kuberay", settings_of("small", ()))
    cluster = yaml.safe_load(text)
    volumes = cluster["spec"]["headGroupSpec"]["template"]["spec"]["volumes"]
    claims = {one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one}
    (maps,) = [one["configMap"]["name"] for one in volumes if "configMap" in one]
    assert f"kubectl create configmap {maps} --from-file=cluster.yaml=" in text
    assert (deploy / "README.md").read_text().count(f"create configmap {maps} --from-file=cluster.yaml=") == 1
    for manifests in overlays.values():
        assert all(find(manifests, "PersistentVolumeClaim", name) for name in claims)
        assert (
            find(manifests, "RayJob", "digits")["spec"]["clusterSelector"]["ray.io/cluster"]
            == cluster["metadata"]["name"]
        )
    assert cluster["spec"]["authOptions"]["secretName"] in SECRETS


def test_its_job_file_is_in_the_image(overlays: Mapping[str, Manifests], deploy: Path) -> None:
    entrypoint = find(overlays["cloud"], "RayJob", "digits")["spec"]["entrypoint"]
    job = re.search(r"/opt/graft/(jobs/\S+)", entrypoint)
    assert job
    assert (deploy.parent / job[1]).exists()
    assert "COPY jobs/ /opt/graft/jobs/" in (deploy / "Dockerfile").read_text()


def test_the_readme_makes_every_secret(deploy: Path) -> None:
    text = (deploy / "README.md").read_text()
    made = {name: set(re.findall(r"--from-literal=([\w-]+)=", rest))
            for name, rest in re.findall(r"create secret generic (\S+)((?:\\\n|.)*)", text)}  # fmt: skip
    assert made == SECRETS


def test_images_are_the_same_everywhere(overlays: Mapping[str, Manifests], deploy: Path) -> None:
    compose = yaml.safe_load((deploy / "compose" / "compose.yaml").read_text())
    there = {one["image"] for one in compose["services"].values() if "image" in one}
    pods = [pod_of(one) for one in overlays["single-node"]]
    here = {container["image"] for found in pods if found for container in found["containers"]}
    assert here <= there
    assert json.dumps(make_cluster_file("kuberay", settings_of("small", ()))).count("graft:0.1.0")

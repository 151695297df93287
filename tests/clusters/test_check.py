"""Cluster files by Ray's schema and our rules: the shipped ones are right, and each fault is found under its key."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from graft.clusters.check import check_file
from graft.clusters.make import PROVIDERS, SIZES, ClusterSettings, make_cluster_file
from graft.clusters.violation import Violation
from graft.core.errors import SpecError

Document = dict[str, Any]
Spoil = Callable[[Document], object]
Check = Callable[[Document], list[Violation]]


def document(provider: str) -> Document:
    """Without the anchors that make parts of it the same object."""
    made: Document = json.loads(json.dumps(yaml.safe_load(make_cluster_file(provider, ClusterSettings()))))
    return made


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def one(given: Document) -> list[Violation]:
        file = tmp_path / "cluster.yaml"
        file.write_text(yaml.safe_dump(given))
        return check_file(file)

    return one


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_we_write_is_right(provider: str, size: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(make_cluster_file(provider, ClusterSettings(size=size)))
    assert check_file(file) == []


def gpu(config: Document) -> Document:
    node: Document = config["available_node_types"]["gpu"]
    return node


def admitting(ranges: Document) -> Document:
    return {"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **ranges}]}


HEAD = "--head --autoscaling-config=~/ray_bootstrap_config.yaml"
LAUNCHER: Mapping[str, tuple[str, Spoil]] = {
    "unknown key": ("max_worker", lambda c: c.update(max_worker=3)),
    "unknown key of a node type": ("available_node_types.gpu.spot", lambda c: gpu(c).update(spot=True)),
    "wrong type": ("max_workers", lambda c: c.update(max_workers="ten")),
    "missing": ("cluster_name", lambda c: c.pop("cluster_name")),
    "no resources": ("available_node_types.gpu.resources", lambda c: gpu(c).pop("resources")),
    "another provider": ("provider.type", lambda c: c["provider"].update(type="awz")),
    "fewer than none": ("available_node_types.gpu.max_workers", lambda c: gpu(c).update(max_workers=-3)),
    "more at least than at most": (
        "available_node_types.gpu.min_workers",
        lambda c: gpu(c).update(min_workers=9, max_workers=2),
    ),
    "no number": ("idle_timeout_minutes", lambda c: c.update(idle_timeout_minutes=float("nan"))),
    "a number without an end": (
        "available_node_types.gpu.node_config.Price",
        lambda c: gpu(c)["node_config"].update(Price=float("inf")),
    ),
    "a market of another shape": (
        "available_node_types.gpu_spot.node_config.InstanceMarketOptions",
        lambda c: c["available_node_types"]["gpu_spot"]["node_config"].update(InstanceMarketOptions="spot"),
    ),
    "permissions of another shape": (
        "provider.security_group.IpPermissions.0.IpRanges.0",
        lambda c: c["provider"].update(security_group={"IpPermissions": [{"IpRanges": [None]}]}),
    ),
    "a machine with many CPUs": (
        "worker_start_ray_commands.0",
        lambda c: c.update(worker_start_ray_commands=["RAY_AUTH_MODE=token ray start --num-cpus=many"]),
    ),
    "a command that is none": (
        "worker_start_ray_commands.0",
        lambda c: c.update(worker_start_ray_commands=["RAY_AUTH_MODE=token ray start 'x"]),
    ),
    "resources that are none": (
        "worker_start_ray_commands.0",
        lambda c: c.update(worker_start_ray_commands=["RAY_AUTH_MODE=token ray start --resources '[1]'"]),
    ),
    "head without token": (
        "head_start_ray_commands.1",
        lambda c: c.update(head_start_ray_commands=["ray stop", f"ray start {HEAD}"]),
    ),
    "worker without token": (
        "worker_start_ray_commands.0",
        lambda c: c.update(worker_start_ray_commands=["ray start --address=$RAY_HEAD_IP:6379"]),
    ),
    "Ray's own commands": ("head_start_ray_commands", lambda c: c.pop("head_start_ray_commands")),
    "no token file": ("file_mounts", lambda c: c.pop("file_mounts")),
    "a secret in a command": (
        "head_start_ray_commands.0",
        lambda c: c["head_start_ray_commands"].insert(0, "export RAY_AUTH_TOKEN=0123abcd"),
    ),
    "open SSH": (
        "provider.security_group.IpPermissions.0",
        lambda c: c["provider"].update(security_group=admitting({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})),
    ),
    "open by IPv6": (
        "provider.security_group.IpPermissions.0",
        lambda c: c["provider"].update(security_group=admitting({"Ipv6Ranges": [{"CidrIpv6": "::/0"}]})),
    ),
    "Ray's own security group": (
        "available_node_types.gpu.node_config.SecurityGroupIds",
        lambda c: gpu(c)["node_config"].pop("SecurityGroupIds"),
    ),
    "open dashboard": (
        "head_start_ray_commands.1",
        lambda c: c.update(
            head_start_ray_commands=["ray stop", f"RAY_AUTH_MODE=token ray start {HEAD} --dashboard-host=0.0.0.0"]
        ),
    ),
    "nodes that stay": ("available_node_types.gpu.min_workers", lambda c: gpu(c).update(min_workers=2)),
    "idle for hours": ("idle_timeout_minutes", lambda c: c.update(idle_timeout_minutes=600)),
    "more than there may be": ("available_node_types.gpu.max_workers", lambda c: gpu(c).update(max_workers=500)),
    "no bound": ("max_workers", lambda c: c.pop("max_workers")),
    "no such head": ("head_node_type", lambda c: c.update(head_node_type="heda")),
    "no kind of node": ("available_node_types", lambda c: c.update(available_node_types={})),
    "kinds of nodes left out": ("available_node_types", lambda c: c.pop("available_node_types")),
    "trials on the head": (
        "available_node_types.head.resources.CPU",
        lambda c: c["available_node_types"]["head"]["resources"].update(CPU=8),
    ),
    "no place for drivers": (
        "available_node_types.head.resources.safe",
        lambda c: c["available_node_types"]["head"]["resources"].pop("safe"),
    ),
    "GPU in the head": (
        "available_node_types.head.resources.GPU",
        lambda c: c["available_node_types"]["head"]["resources"].update(GPU=1),
    ),
    "spot without its label": (
        "available_node_types.gpu_spot.labels",
        lambda c: c["available_node_types"]["gpu_spot"].pop("labels"),
    ),
    "spot without a shared home": ("GRAFT_HOME", lambda c: c.update(initialization_commands=["true"])),
    "spot without a home": (
        "GRAFT_HOME",
        lambda c: c.update(
            head_start_ray_commands=[f"RAY_AUTH_MODE=token ray start {HEAD}"],
            worker_start_ray_commands=["RAY_AUTH_MODE=token ray start --address=$RAY_HEAD_IP:6379"],
        ),
    ),
    "a home that is none": ("GRAFT_HOME", lambda c: c.update(worker_start_ray_commands=[start("az://box/graft")])),
    "spot with a folder that nobody mounts": (
        "GRAFT_HOME",
        lambda c: [every_start(c, "/shared/graft", "folder:///data/graft"), c["docker"].pop("run_options")],
    ),
    "an image without a version": ("docker.image", lambda c: c["docker"].update(image="graft")),
}


def every_start(config: Document, home: str, other: str) -> None:
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        config[key] = [one.replace(home, other) for one in config[key]]


def start(home: str) -> str:
    return f"RAY_AUTH_MODE=token GRAFT_HOME={home} ray start --address=$RAY_HEAD_IP:6379"


@pytest.mark.parametrize("name", LAUNCHER)
def test_a_fault_of_a_launcher_file_is_found(check: Check, name: str) -> None:
    key, spoil = LAUNCHER[name]
    config = document("aws")
    spoil(config)
    found = check(config)
    assert [one.key for one in found] == [key]
    assert found[0].rule
    assert found[0].fix


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_spot_nodes_are_known_as_each_cloud_writes_them(check: Check, provider: str) -> None:
    config = document(provider)
    config["available_node_types"]["gpu_spot"].pop("labels")
    assert [one.key for one in check(config)] == ["available_node_types.gpu_spot.labels"]


def group(manifest: Document, at: int) -> Document:
    one: Document = manifest["spec"]["workerGroupSpecs"][at]
    return one


def container(manifest: Document, at: int = 1) -> Document:
    one: Document = group(manifest, at)["template"]["spec"]["containers"][0]
    return one


KUBERAY: Mapping[str, tuple[str, Spoil]] = {
    "fewer than none": ("spec.workerGroupSpecs.1.maxReplicas", lambda m: group(m, 1).update(maxReplicas=-1)),
    "more at least than at most": (
        "spec.workerGroupSpecs.1.minReplicas",
        lambda m: group(m, 1).update(minReplicas=5, maxReplicas=2),
    ),
    "no hosts": ("spec.workerGroupSpecs.1.numOfHosts", lambda m: group(m, 1).update(numOfHosts=0)),
    "two of one name": ("spec.workerGroupSpecs.1.groupName", lambda m: group(m, 1).update(groupName="data")),
    "a pod with many CPUs": (
        "spec.workerGroupSpecs.1.rayStartParams",
        lambda m: group(m, 1).update(rayStartParams={"num-cpus": "many"}),
    ),
    "resources that are none": (
        "spec.workerGroupSpecs.1.rayStartParams",
        lambda m: group(m, 1).update(rayStartParams={"resources": "{a"}),
    ),
    "a quantity that is none": (
        "spec.workerGroupSpecs.1.template.spec.containers.0.resources.limits.cpu",
        lambda m: container(m)["resources"]["limits"].update(cpu="4..2"),
    ),
    "unknown key": ("spec.workerGroupSpec", lambda m: m["spec"].update(workerGroupSpec=[])),
    "a number for a string": (
        "spec.headGroupSpec.rayStartParams.num-cpus",
        lambda m: m["spec"]["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
    ),
    "no upper bound": ("spec.workerGroupSpecs.1.maxReplicas", lambda m: group(m, 1).pop("maxReplicas")),
    "no such autoscaler": (
        "spec.autoscalerOptions.version",
        lambda m: m["spec"]["autoscalerOptions"].update(version="v3"),
    ),
    "no token": ("spec.authOptions.mode", lambda m: m["spec"].pop("authOptions")),
    "a public service": (
        "spec.headGroupSpec.serviceType",
        lambda m: m["spec"]["headGroupSpec"].update(serviceType="LoadBalancer"),
    ),
    "no autoscaling": ("spec.enableInTreeAutoscaling", lambda m: m["spec"].pop("enableInTreeAutoscaling")),
    "the old autoscaler": (
        "spec.autoscalerOptions.version",
        lambda m: m["spec"]["autoscalerOptions"].update(version="v1"),
    ),
    "trials on the head": (
        "spec.headGroupSpec.rayStartParams.num-cpus",
        lambda m: m["spec"]["headGroupSpec"]["rayStartParams"].pop("num-cpus"),
    ),
    "no place for drivers": (
        "spec.headGroupSpec.rayStartParams.resources",
        lambda m: m["spec"]["headGroupSpec"]["rayStartParams"].pop("resources"),
    ),
    "pods that stay": ("spec.workerGroupSpecs.1.minReplicas", lambda m: group(m, 1).update(minReplicas=1)),
    "no tolerations": (
        "spec.workerGroupSpecs.1.template.spec.tolerations",
        lambda m: group(m, 1)["template"]["spec"].pop("tolerations"),
    ),
    "spot without a shared home": (
        "spec.workerGroupSpecs.2.template.spec.volumes",
        lambda m: group(m, 2)["template"]["spec"].update(volumes=[{"name": "shared", "emptyDir": {}}]),
    ),
    "an image without a version": (
        "spec.workerGroupSpecs.1.template.spec.containers.0.image",
        lambda m: container(m).update(image="graft:latest"),
    ),
    "a home that is none": (
        "spec.workerGroupSpecs.1.template.spec.containers.0.env.0",
        lambda m: container(m).update(env=[{"name": "GRAFT_HOME", "value": "az://box/graft"}]),
    ),
    "no limit of memory": (
        "spec.workerGroupSpecs.1.template.spec.containers.0.resources.limits.memory",
        lambda m: container(m)["resources"]["limits"].pop("memory"),
    ),
    "root": (
        "spec.workerGroupSpecs.1.template.spec.containers.0.securityContext.runAsNonRoot",
        lambda m: container(m)["securityContext"].update(runAsNonRoot=False),
    ),
    "a secret": (
        "spec.workerGroupSpecs.1.template.spec.containers.0.env.1",
        lambda m: container(m)["env"].append({"name": "MLFLOW_TRACKING_PASSWORD", "value": "x"}),
    ),
}


@pytest.mark.parametrize("name", KUBERAY)
def test_a_fault_of_a_manifest_is_found(check: Check, name: str) -> None:
    key, spoil = KUBERAY[name]
    manifest = document("kuberay")
    spoil(manifest)
    assert [one.key for one in check(manifest)] == [key]


def test_the_cluster_of_a_job_and_of_a_service_is_held_against_the_same_rules(check: Check) -> None:
    spec = document("kuberay")["spec"]
    spec.pop("authOptions")
    served = {"serveConfigV2": "applications: [{import_path: 'mine:app'}]"}
    for kind, key, more in (("RayJob", "rayClusterSpec", {}), ("RayService", "rayClusterConfig", served)):
        manifest = {"apiVersion": "ray.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": {key: spec, **more}}
        assert [one.key for one in check(manifest)] == [f"spec.{key}.authOptions.mode"]


def test_a_job_without_a_cluster_is_refused(check: Check) -> None:
    job = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "x"}, "spec": {"entrypoint": "true"}}
    assert [one.key for one in check(job)] == ["spec.rayClusterSpec"]


def test_every_manifest_of_a_file_is_checked_and_named(tmp_path: Path) -> None:
    good, bad = document("kuberay"), document("kuberay")
    bad["metadata"]["name"] = "open"
    bad["spec"].pop("authOptions")
    other = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all([good, other, bad]))
    assert [one.key for one in check_file(file)] == ["RayCluster/open.spec.authOptions.mode"]


LAUGHS = b"cluster_name: &x0 [x]\n" + b"".join(
    b"a%d: &x%d [%s]\n" % (n, n, b",".join([b"*x%d" % (n - 1)] * 10)) for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"kind: Pod\napiVersion: v1\n", "is no cluster file"),
        (b"", "is no cluster file"),
        (b"cluster_name: [", "is no valid YAML"),
        (
            b"max_workers: 1\nmax_workers: 2\n",
            "2 is no valid YAML: `max_workers` is given on line 1 and again on line 2",
        ),
        (b"\xff\xfe\x00", "is no text"),
        (b"- cluster_name: a\n", "is no cluster file"),
        (b"cluster_name: " + b"[" * 3000, "is nested too deeply"),
        (b"provider:\n\ttype: aws\n", r"x\.yaml:2 is no valid YAML: found character"),
        (b"cluster_name: &a [*a]\n", "is no valid YAML: a part of it holds itself"),
        (LAUGHS, "is no valid YAML: it has [0-9,]{13} values where its aliases are written out"),
        (b"cluster_name: a\nmax_workers: " + b"9" * 5000, "is no valid YAML: a value of it cannot be read"),
        (b"cluster_name: 2026-13-45\n", "is no valid YAML: a value of it cannot be read"),
    ],
)
def test_what_is_no_cluster_file_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=told):
        check_file(file)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(SpecError, match="is a pipe, a device or a socket"):
        check_file(tmp_path / "x.yaml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        check_file(tmp_path / "none.yaml")


@pytest.mark.parametrize("key", ["head_ip", "worker_ips"])
def test_machines_of_ones_own_have_addresses(check: Check, key: str) -> None:
    config = document("on_premise")
    config["provider"].pop(key)
    assert [one.key for one in check(config)] == [f"provider.{key}"]


def test_a_folder_is_no_cluster_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        check_file(tmp_path)


def test_an_unknown_key_is_answered_with_the_nearest_one(check: Check) -> None:
    config = document("aws")
    config["max_worker"] = 3
    assert check(config)[0].fix == "did you mean `max_workers`?"

"""Faults of files of Ray's launcher, each told in one line under its key: shapes, then rules."""

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

WORKER = "RAY_AUTH_MODE=token GRAFT_HOME=/shared/graft ray start --address=$RAY_HEAD_IP:6379"
HEAD = "RAY_AUTH_MODE=token GRAFT_HOME=/shared/graft ray start"


def document(provider: str) -> Document:
    """Without the anchors that make parts of it the same object."""
    made: Document = json.loads(json.dumps(yaml.safe_load(make_cluster_file(provider, ClusterSettings()))))
    return made


def told(given: Document, folder: Path) -> list[str]:
    file = folder / "cluster.yaml"
    file.write_text(yaml.safe_dump(given))
    return [str(one) for one in check_file(file)]


def node(config: Document, name: str = "gpu") -> Document:
    found: Document = config["available_node_types"][name]["node_config"]
    return found


def kind(config: Document) -> Document:
    found: Document = config["available_node_types"]["gpu"]
    return found


def option(text: str) -> Spoil:
    return lambda c: c["docker"]["run_options"].append(text)


def worker(command: str) -> Spoil:
    return lambda c: c.update(worker_start_ray_commands=[command])


def admit(**ranges: Any) -> Spoil:
    return lambda c: c["provider"].update(security_group={"IpPermissions": [ranges]})


EVERY: Mapping[str, tuple[Spoil, str]] = {
    "no bound": (lambda c: c.update(max_workers=10**9), "max_workers: is `1000000000`"),
    "no name": (lambda c: c.update(cluster_name=""), 'cluster_name: is `""`, but must be at most 63 letters'),
    "a name that is a command": (lambda c: c.update(cluster_name="a; b"), 'cluster_name: is `"a; b"`'),
    "a key that is a number": (lambda c: c["docker"].update({1: "x"}), "docker: has the key `1`, but keys must be"),
    "a mount without a source": (
        lambda c: c.update(file_mounts={"~/.ray/auth_token": None}),
        "file_mounts.~/.ray/auth_token: is `null`",
    ),
    "an image that is empty": (lambda c: c["docker"].update(image=""), "docker.image: is ``, but must name a version"),
    "a container of all rights": (option("--privileged"), "docker.run_options.2: has `--privileged`"),
    "a container of root": (option("--user root"), "docker.run_options.2: has `--user root`"),
    "a container of user 0": (option("-u=0"), "docker.run_options.2: has `-u=0`"),
    "a secret of a container": (option("-e AWS_SECRET_ACCESS_KEY=a"), "docker.run_options.2: holds a secret"),
    "a token of a container": (option("--env RAY_AUTH_TOKEN=0a"), "docker.run_options.2: holds a secret"),
    "a container without the home": (
        lambda c: c["docker"].update(run_options=[]),
        "docker.run_options: brings no /shared into the container",
    ),
    "two homes": (
        worker(WORKER.replace("/shared/graft", "/shared/other")),
        "GRAFT_HOME: is /shared/graft and /shared/other, but must be one for all nodes",
    ),
    "a home that is relative": (
        worker(WORKER.replace("/shared/graft", "graft")),
        "GRAFT_HOME: is graft, but must be a path from the root",
    ),
    "the mode after the start": (
        worker(f"{WORKER.replace('RAY_AUTH_MODE=token ', '')}; echo RAY_AUTH_MODE=token"),
        "worker_start_ray_commands.0: starts Ray without a token",
    ),
    "the mode taken back": (
        worker(WORKER.replace("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=token RAY_AUTH_MODE=disabled")),
        "worker_start_ray_commands.0: starts Ray without a token",
    ),
    "a head that is none": (
        lambda c: c.update(head_start_ray_commands=[f"{HEAD} --autoscaling-config=x"]),
        "head_start_ray_commands: has no `--head`",
    ),
    "a worker without a head": (
        worker(WORKER.partition(" --address")[0]),
        "worker_start_ray_commands: has no `--address`",
    ),
    "a dashboard in quotes": (
        lambda c: c.update(head_start_ray_commands=[f"{HEAD} --head --autoscaling-config=x --dashboard-host='::'"]),
        "head_start_ray_commands.0: shows the dashboard",
    ),
}
CLOUDS: Mapping[str, tuple[Spoil, str]] = {
    "a kind that is a number": (
        lambda c: c["available_node_types"].update({1: kind(c)}),
        "available_node_types: has the key `1`",
    ),
    "a head that asks for nothing": (
        lambda c: c.update(head_start_ray_commands=[f"{HEAD} --head"]),
        "head_start_ray_commands: has no `--autoscaling-config`, so what it starts never asks for a node",
    ),
    "a label that is a number": (
        lambda c: kind(c).update(labels={"ray.io/market-type": 1}),
        "available_node_types.gpu.labels.ray.io/market-type: is `1`",
    ),
    "a label that lies": (
        lambda c: kind(c)["labels"].update({"ray.io/market-type": "spot"}),
        "available_node_types.gpu.labels: says `ray.io/market-type: spot`, but node_config asks for machines on demand",
    ),
    "resources of other names": (
        lambda c: kind(c).update(resources={"CPU": 8, "gpu": 1}),
        "available_node_types.gpu.resources.gpu: is a resource that nothing asks for, because Ray's own is `GPU`",
    ),
    "an image of one kind": (
        lambda c: kind(c).update(docker={"worker_image": "graft"}),
        "available_node_types.gpu.docker.worker_image: is `graft`",
    ),
}
AWS: Mapping[str, tuple[Spoil, str]] = {
    "no region": (lambda c: c["provider"].pop("region"), "provider.region: is missing"),
    "a type that EC2 has not": (
        lambda c: node(c).update(InstanceType="g5.2xlrge"),
        'available_node_types.gpu.node_config.InstanceType: is `"g5.2xlrge"`, but must be a type of EC2',
    ),
    "no type": (
        lambda c: node(c).pop("InstanceType"),
        "available_node_types.gpu.node_config.InstanceType: is missing",
    ),
    "several types": (
        lambda c: node(c).update(InstanceType=["g5.2xlarge"]),
        'available_node_types.gpu.node_config.InstanceType: is `["g5.2xlarge"]`',
    ),
    "a group that is no list": (
        lambda c: node(c).update(SecurityGroupIds="sg-1"),
        'available_node_types.gpu.node_config.SecurityGroupIds: is `"sg-1"`',
    ),
    "a market of another spelling": (
        lambda c: node(c, "gpu_spot").update(InstanceMarketOptions={"MarketType": "Spot"}),
        'available_node_types.gpu_spot.node_config.InstanceMarketOptions.MarketType: is `"Spot"`',
    ),
    "half of the internet": (
        admit(IpRanges=[{"CidrIp": "0.0.0.0/1"}]),
        "provider.security_group.IpPermissions.0: is open to 0.0.0.0/1",
    ),
    "another spelling of all": (
        admit(Ipv6Ranges=[{"CidrIpv6": "0::0/0"}]),
        "provider.security_group.IpPermissions.0: is open to 0::0/0",
    ),
}
GCP: Mapping[str, tuple[Spoil, str]] = {
    "no project": (lambda c: c["provider"].pop("project_id"), "provider.project_id: is missing"),
    "no machine": (
        lambda c: node(c).pop("machineType"),
        "available_node_types.gpu.node_config.machineType: is missing",
    ),
    "a GPU that is no list": (
        lambda c: node(c).update(guestAccelerators="l4"),
        'available_node_types.gpu.node_config.guestAccelerators: is `"l4"`',
    ),
    "spot in words": (
        lambda c: node(c, "gpu_spot")["scheduling"].update(preemptible="yes"),
        'available_node_types.gpu_spot.node_config.scheduling.preemptible: is `"yes"`',
    ),
}
AZURE: Mapping[str, tuple[Spoil, str]] = {
    "no group of resources": (
        lambda c: c["provider"].pop("resource_group"),
        "provider.resource_group: is missing",
    ),
    "no size": (
        lambda c: node(c)["azure_arm_parameters"].pop("vmSize"),
        "available_node_types.gpu.node_config.azure_arm_parameters.vmSize: is missing",
    ),
    "no parameters": (
        lambda c: node(c).pop("azure_arm_parameters"),
        "available_node_types.gpu.node_config.azure_arm_parameters: is missing",
    ),
    "spot of another spelling": (
        lambda c: node(c, "gpu_spot")["azure_arm_parameters"].update(priority="spot"),
        'available_node_types.gpu_spot.node_config.azure_arm_parameters.priority: is `"spot"`',
    ),
}
OWN: Mapping[str, tuple[Spoil, str]] = {
    "a machine twice": (
        lambda c: c["provider"].update(worker_ips=["10.0.0.11", "10.0.0.11"]),
        "provider.worker_ips.1: is 10.0.0.11, but another machine",
    ),
    "a worker that is the head": (
        lambda c: c["provider"].update(worker_ips=["10.0.0.10"]),
        "provider.worker_ips.0: is 10.0.0.10, but another machine",
    ),
    "more machines than there may be": (
        lambda c: c.update(max_workers=1),
        "max_workers: is 1, but provider.worker_ips has 2; write 2",
    ),
}
FAULTS = [
    pytest.param(provider, *fault, id=f"{provider}: {name}")
    for provider, tables in {
        "aws": (EVERY, CLOUDS, AWS), "gcp": (CLOUDS, GCP), "azure": (CLOUDS, AZURE), "on_premise": (EVERY, OWN),
    }.items()
    for table in tables
    for name, fault in table.items()
]  # fmt: skip


@pytest.mark.parametrize(("provider", "spoil", "line"), FAULTS)
def test_a_fault_is_told_in_one_line(provider: str, spoil: Spoil, line: str, tmp_path: Path) -> None:
    config = document(provider)
    spoil(config)
    (found,) = told(config, tmp_path)
    assert found.startswith(line)
    assert "; " in found, "what to do"

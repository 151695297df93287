"""`ray up` with our file against a server that mocks EC2: which machines are asked for."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from graft.clusters.make import ClusterSettings, make_cluster_file

pytestmark = pytest.mark.slow

FOUND_WITHIN_S = 120.0


@pytest.fixture
def aws(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the mocked EC2, as it is in the beginning; keys and the token are in a home of its own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/moto-api/reset", method="POST"))
    login = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-central-1"}
    for name, value in {**login, "AWS_ENDPOINT_URL": s3_server, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    import boto3

    for name in ("graft-head", "graft-worker"):
        boto3.client("iam").create_instance_profile(InstanceProfileName=name)
    return boto3.client("ec2")


@pytest.fixture
def group(aws: Any) -> str:
    """A security group of the user's."""
    vpc = aws.describe_vpcs()["Vpcs"][0]["VpcId"]
    made: str = aws.create_security_group(GroupName="mine", Description="x", VpcId=vpc)["GroupId"]
    return made


def instances(aws: Any) -> list[Mapping[str, Any]]:
    return [one for reservation in aws.describe_instances()["Reservations"] for one in reservation["Instances"]]


def test_ray_up_asks_for_the_head_of_our_file(aws: Any, group: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(make_cluster_file("aws", ClusterSettings(security_group=group)))
    command = [sys.executable, "-m", "ray.scripts.scripts", "up", "-y", "--no-config-cache", str(file)]
    log = tmp_path / "up.log"
    with log.open("w") as stream:
        up = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + FOUND_WITHIN_S
        while not instances(aws) and up.poll() is None and time.monotonic() < until:
            time.sleep(0.5)
        found = instances(aws)
    finally:
        up.kill()  # it would wait for SSH now
        up.wait()
    assert len(found) == 1, log.read_text()
    head = found[0]
    tags = {tag["Key"]: tag["Value"] for tag in head["Tags"]}
    assert (tags["ray-cluster-name"], tags["ray-node-type"]) == ("graft", "head")
    assert head["InstanceType"] == "m7i.2xlarge"
    assert [one["GroupId"] for one in head["SecurityGroups"]] == [group]
    assert head["MetadataOptions"]["HttpTokens"] == "required"
    assert head["IamInstanceProfile"]["Arn"].endswith("instance-profile/graft-head")
    assert all(not is_open(one) for one in aws.describe_security_groups()["SecurityGroups"])


def test_gpu_nodes_are_asked_for_as_spot_and_on_demand(aws: Any, group: str) -> None:
    """What the autoscaler on the head does when trials ask for GPUs."""
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler._private.util import prepare_config

    raw = yaml.safe_load(make_cluster_file("aws", ClusterSettings(security_group=group)))
    config = bootstrap_aws(prepare_config(raw))
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name in ("gpu", "gpu_spot"):
        tags = {"ray-node-kind": "worker", "ray-node-name": name, "ray-node-status": "uninitialized"}
        provider.create_node(config["available_node_types"][name]["node_config"], tags, 1)
    asked = [(one["InstanceType"], one.get("InstanceLifecycle", "on demand")) for one in instances(aws)]
    assert sorted(asked) == [("g5.2xlarge", "on demand"), ("g5.2xlarge", "spot")]
    assert {one["GroupId"] for node in instances(aws) for one in node["SecurityGroups"]} == {group}


def test_ray_opens_ssh_to_everybody_where_no_group_is_named(aws: Any) -> None:
    """Why our rule asks for one: what provider.security_group says is added to this, and does not replace it."""
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.util import prepare_config

    raw = yaml.safe_load(make_cluster_file("aws", ClusterSettings()))
    for node in raw["available_node_types"].values():
        node["node_config"].pop("SecurityGroupIds", None)
    admitted = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    raw["provider"]["security_group"] = {"GroupName": "mine", "IpPermissions": admitted}
    bootstrap_aws(prepare_config(raw))
    assert any(is_open(one) for one in aws.describe_security_groups()["SecurityGroups"])


def is_open(group: Mapping[str, Any]) -> bool:
    ranges = [one["CidrIp"] for permission in group["IpPermissions"] for one in permission["IpRanges"]]
    return "0.0.0.0/0" in ranges

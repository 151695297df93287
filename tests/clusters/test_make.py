"""Cluster files are written for a provider and a size; those in cluster/ are what is written."""

from pathlib import Path

import pytest
import yaml

from graft.clusters.check import check_file
from graft.clusters.make import PROVIDERS, SIZES, ClusterSettings, make_cluster_file, settings_of
from graft.core.errors import SpecError

ROOT = Path(__file__).parents[2] / "cluster"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_files_of_the_repository_are_what_is_written(provider: str, size: str) -> None:
    file = ROOT / provider / f"{size}.yaml"
    assert file.read_text() == make_cluster_file(provider, ClusterSettings(size=size)), (
        f"graft cluster make {provider} --size {size} > cluster/{provider}/{size}.yaml"
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_is_left_to_be_filled_in(provider: str) -> None:
    assert "@" not in make_cluster_file(provider, ClusterSettings())


def test_what_the_user_says_is_in_it() -> None:
    settings = ClusterSettings(
        "mine", "small", "graft:1.2.3", shared="fs-1.efs.internal", security_group="sg-0a1b2c3d4e5f60718"
    )
    config = yaml.safe_load(make_cluster_file("aws", settings))
    assert config["cluster_name"] == "mine"
    assert config["docker"]["image"] == "graft:1.2.3"
    assert config["max_workers"] == SIZES["small"].workers
    groups = [one["node_config"]["SecurityGroupIds"] for one in config["available_node_types"].values()]
    assert groups == [["sg-0a1b2c3d4e5f60718"]] * 4
    assert any("fs-1.efs.internal:/ /shared" in command for command in config["initialization_commands"])


@pytest.mark.parametrize(
    ("provider", "home"),
    [
        ("aws", "s3://bucket/graft"),
        ("gcp", "gs://bucket/graft"),
        ("azure", "abfs://box@acc.dfs.core.windows.net/graft"),
        ("on_premise", "s3://bucket/graft"),
        ("kuberay", "gs://bucket/graft"),
    ],
)
def test_a_home_in_a_store_needs_no_mount_and_passes_the_check(provider: str, home: str, tmp_path: Path) -> None:
    text = make_cluster_file(provider, ClusterSettings(home=home))
    assert "/shared" not in text
    assert "#if" not in text
    assert home in text
    (tmp_path / "cluster.yaml").write_text(text)
    assert check_file(tmp_path / "cluster.yaml") == []


@pytest.mark.parametrize(
    ("provider", "container", "login"),
    [
        (
            "aws",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/graft:1",
            "aws ecr get-login-password --region eu-west-1 |",
        ),
        ("gcp", "europe-west4-docker.pkg.dev/project/images/graft:1", "configure-docker europe-west4-docker.pkg.dev "),
        ("azure", "mine.azurecr.io/graft:1", "az acr login --name mine"),
    ],
)
@pytest.mark.parametrize("home", ["/shared/graft", "s3://bucket/graft"])
def test_nodes_log_in_to_a_private_registry_of_their_cloud(
    provider: str, container: str, login: str, home: str, tmp_path: Path
) -> None:
    text = make_cluster_file(provider, ClusterSettings(container=container, home=home))
    (tmp_path / "cluster.yaml").write_text(text)
    assert check_file(tmp_path / "cluster.yaml") == []
    commands = yaml.safe_load(text)["initialization_commands"]
    assert login in commands[0]
    assert not any(
        login in one
        for one in yaml.safe_load(make_cluster_file(provider, ClusterSettings()))["initialization_commands"]
    )


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_what_a_node_does_first_may_be_done_again(provider: str) -> None:
    """`ray up` with a changed file does it on nodes that are there: a second mount at a place fails."""
    commands = yaml.safe_load(make_cluster_file(provider, ClusterSettings()))["initialization_commands"]
    (mount,) = (one for one in commands if "sudo mount" in one)
    assert mount.startswith("mountpoint -q /shared || ")
    assert "sudo install -d -o 1000 -g 1000 /shared/graft" in commands, "the image's user may write there"


def test_nodes_are_started_in_the_subnets_that_are_named() -> None:
    text = make_cluster_file("aws", ClusterSettings(subnets="subnet-1a,subnet-2b"))
    kinds = yaml.safe_load(text)["available_node_types"].values()
    assert [one["node_config"]["SubnetIds"] for one in kinds] == [["subnet-1a", "subnet-2b"]] * 4
    assert "SubnetIds" not in make_cluster_file("aws", ClusterSettings())


@pytest.mark.parametrize(
    ("home", "told"),
    [
        ("az://box/graft", "write abfs://"),
        ("quux://x", "name one of these"),
        ("/home/graft", "must be a path below /shared/"),
        ("s3://", "with the name of a bucket; correct it"),
    ],
)
def test_a_home_that_is_none_is_refused(home: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        make_cluster_file("gcp", ClusterSettings(home=home))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "Mine"), ("name", "a b"), ("name", "a\nb: c"), ("name", "x" * 41), ("name", "#x"),
        ("container", "a: b"), ("container", "-x"), ("security_group", "open"), ("project", 'a"b'),
        ("shared", "$(whoami)"), ("shared", "a b"), ("home", "/shared/a;b"), ("home", "/shared/../etc"),
        ("model", "x\ny: 1"), ("subnets", "subnet-1 subnet-2"), ("ami", "ubuntu"),
        ("subscription", "mine"), ("allow", "everything"), ("allow", "0.0.0.0/0"), ("allow", "::/0"),
    ],
)  # fmt: skip
def test_a_value_that_would_be_more_than_one_is_refused(key: str, value: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_cluster_file("aws", ClusterSettings(**{key: value}))
    (problem,) = caught.value.problems
    assert str(problem).startswith((f"{key} is `{value}`, but must", f"{key}: is {value}, but must"))


def test_an_unknown_provider_and_size_are_refused_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        make_cluster_file("aws2", ClusterSettings(size="huge"))
    assert [str(one).split(",")[0] for one in caught.value.problems] == [
        "provider is `aws2`",
        "size is `huge`",
    ]


def test_settings_are_changed_by_key_and_value() -> None:
    assert settings_of("small", ["name=mine", "shared=a=b"]) == ClusterSettings("mine", "small", shared="a=b")


@pytest.mark.parametrize("change", ["nmae=x", "name", "name=", "size=small"])
def test_a_change_that_means_nothing_is_refused(change: str) -> None:
    with pytest.raises(SpecError, match="must be KEY=VALUE with one of name, container, allow, home"):
        settings_of("small", [change])

"""What a cluster file says of its nodes, whoever's file it is."""

from pathlib import Path

import pytest

from graft.clusters.make import PROVIDERS, SIZES, ClusterSettings, make_cluster_file, settings_of
from graft.clusters.node_types import ClusterNodes, launched_cluster, read_cluster
from graft.clusters.quantities import quantity
from graft.core.errors import SpecError


@pytest.fixture
def nodes_of(tmp_path: Path):
    """``nodes_of("aws", ("old", "new"))``: the nodes of a medium file, with parts of its text exchanged."""

    def read(provider: str, *changes: tuple[str, str], size: str = "medium") -> ClusterNodes:
        text = make_cluster_file(provider, ClusterSettings(size=size))
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "cluster.yaml"
        file.write_text(text)
        return read_cluster(file)

    return read


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one != "on_premise"])
def test_the_nodes_of_every_provider_are_read(nodes_of, provider: str, size: str) -> None:
    found = nodes_of(provider, size=size)
    names = [one.name.replace("-", "_") for one in found.workers]
    assert names == ["data", "gpu", "gpu_spot"]
    assert [one.most for one in found.workers] == [SIZES[size].data, SIZES[size].gpu, SIZES[size].spot]
    assert found.most == SIZES[size].workers
    assert [one.is_spot for one in found.workers] == [False, False, True]
    assert [one.resources.get("GPU", 0) for one in found.workers] == [0, 1, 1]
    assert (found.head.resources["CPU"], found.head.resources["safe"]) == (0, 16)
    assert found.workers[0].resources["data"] == 1
    assert found.idle_seconds == 60
    assert found.has_shared_home
    assert found.is_elastic


def test_machines_of_ones_own_stay(nodes_of) -> None:
    found = nodes_of("on_premise")
    assert not found.is_elastic
    assert [(one.name, one.resources, one.most, one.least) for one in found.workers] == [
        ("worker", {"CPU": 16, "GPU": 1}, 2, 2)
    ]


def test_machines_that_do_not_say_what_they_have_are_asked_to(nodes_of) -> None:
    with pytest.raises(SpecError, match=r"worker_start_ray_commands: says no --num-cpus.*write --num-cpus"):
        nodes_of("on_premise", (" --num-cpus=16 --num-gpus=1", ""))


def test_a_machine_that_a_shell_counts_cannot_be_planned_with(nodes_of) -> None:
    told = r"cluster.yaml worker_start_ray_commands.\d: num-cpus is `\$\(nproc\)`, but must be a number"
    with pytest.raises(SpecError, match=told):
        nodes_of("on_premise", ("--num-cpus=16", "--num-cpus=$(nproc)"))


def test_google_clouds_scheduling_may_be_a_list_as_in_rays_examples(nodes_of) -> None:
    text = make_cluster_file("gcp", ClusterSettings())
    line = next(one for one in text.splitlines() if "preemptible: true" in one)
    found = nodes_of("gcp", (line, f"{line.partition('scheduling:')[0]}scheduling: [{{preemptible: true}}]"))
    assert [one.is_spot for one in found.workers] == [False, False, True]


def test_an_unknown_key_is_named_with_the_one_it_may_have_been(nodes_of) -> None:
    with pytest.raises(SpecError, match=r"idle_timeout_minute.*did you mean `idle_timeout_minutes`"):
        nodes_of("aws", ("idle_timeout_minutes: 1", "idle_timeout_minute: 1"))
    with pytest.raises(SpecError, match=r"maxReplica.*did you mean `maxReplicas`"):
        nodes_of("kuberay", ("maxReplicas: 8", "maxReplica: 8"))


def test_a_home_that_nobody_mounts_is_not_shared(nodes_of) -> None:
    assert not nodes_of("aws", ("GRAFT_HOME=/shared/graft", "GRAFT_HOME=/home/graft")).has_shared_home
    assert nodes_of("aws", ("GRAFT_HOME=/shared/graft", "GRAFT_HOME=s3://bucket/graft")).has_shared_home
    assert not nodes_of("kuberay", ("value: /shared/graft", "value: /home/graft")).has_shared_home


def test_quantities_of_kubernetes() -> None:
    texts = (4, "500m", "2", "1Ki", "3M", "2e3", ".5", "1k")
    assert [quantity("cpu", one) for one in texts] == [4.0, 0.5, 2.0, 1024.0, 3e6, 2000.0, 0.5, 1000.0]
    for text in ("many", "4..2", "-4", "", "٤", "4 "):
        with pytest.raises(SpecError, match=r"cpu: is `.*`, but must be a quantity such as"):
            quantity("cpu", text)


def test_a_file_without_a_cluster_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(
        "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: a}\nspec: {entrypoint: ls, clusterSelector: {a: b}}\n"
    )
    with pytest.raises(SpecError, match="holds no cluster"):
        read_cluster(file)


def test_a_driver_reads_the_manifest_of_its_cluster_as_a_plan_does(tmp_path: Path) -> None:
    """What `kubectl create configmap` mounts on the head, and what the launcher leaves there."""
    for provider in ("kuberay", "aws"):
        file = tmp_path / f"{provider}.yaml"
        file.write_text(make_cluster_file(provider, settings_of("small", ())))
        assert launched_cluster(file) == read_cluster(file)
    file.write_text("apiVersion: ray.io/v1\nkind: RayJob\nspec: {clusterSelector: {ray.io/cluster: graft}}\n")
    with pytest.raises(SpecError, match=r"holds no cluster; name what `ray up` has left on the head, or the manifest"):
        launched_cluster(file)

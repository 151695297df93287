"""A job on a cluster: nodes over time, cost, and whether it fits."""

from pathlib import Path
from typing import Any

import pytest

from graft.clusters.make import ClusterSettings, make_cluster_file
from graft.clusters.node_types import ClusterNodes, read_cluster
from graft.clusters.prices import read_prices
from graft.pipeline.scaling.cluster_plan import ClusterPlan, make_cluster_plan
from graft.pipeline.scaling.describe import describe_on_cluster, sparkline
from graft.pipeline.scaling.picture import draw
from graft.spec.job import Job

MINUTE = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> ClusterNodes:
    file = tmp_path / "cluster.yaml"
    file.write_text(make_cluster_file("aws", ClusterSettings(size="large")))
    return read_cluster(file)


def job(scheduler: Any = "none", trials: int = 8, epochs: int = 9, **given: Any) -> Job:
    search = {"scheduler": scheduler, "budget": {"trials": trials, **given.pop("budget", {})}}
    strategy = {"lr": {"loguniform": [1e-4, 1e-2]}}
    return Job.model_validate(
        {"name": "a", "data": {"kind": "digits"}, "strategy": strategy, "search": search}
        | {"training": {"epochs": epochs, **given.pop("training", {})}, **given}
    )


def plan(cluster: ClusterNodes, *arguments: Any, seconds: float = MINUTE, **given: Any) -> ClusterPlan:
    return make_cluster_plan(job(*arguments, **given), cluster, read_prices(), seconds)


def test_trials_bring_nodes_and_the_last_leaves(cluster: ClusterNodes) -> None:
    found = plan(cluster, resources={"gpus_per_worker": 1})
    assert found.fits
    assert found.peak == {"data": 1, "gpu": 0, "gpu_spot": 8}
    assert found.over_time[0].nodes == {"data": 1, "gpu": 0, "gpu_spot": 0}, "the data is read first"
    assert found.over_time[-1].total == 0
    assert found.bill is not None
    assert found.bill.total == pytest.approx(sum(one or 0 for one in found.bill.cost.values()))
    # 180 s for a node, 60 s of data; again 180 s, 9 epochs; a fit as long and 60 s of scoring, on a node that is there.
    assert found.seconds == pytest.approx(180 + 60 + 180 + 9 * 60 + 9 * 60 + 60)


def test_rungs_let_nodes_go(cluster: ClusterNodes) -> None:
    kind = {"kind": "asha", "grace_epochs": 1}
    counts = [one.nodes["gpu_spot"] for one in plan(cluster, kind, 27, 27, resources={"gpus_per_worker": 1}).over_time]
    assert max(counts) == 9, "three in ten of the trials at once"
    top = counts.index(9)
    assert counts[top:] == sorted(counts[top:], reverse=True)
    assert len(set(counts[top:])) > 3, "they leave one after the other, and not all at the end"


def test_a_cap_on_nodes_is_kept(cluster: ClusterNodes) -> None:
    found = plan(cluster, resources={"gpus_per_worker": 1}, budget={"nodes": 3})
    assert max(one.total for one in found.over_time) == 3
    assert found.trials == 8


@pytest.mark.parametrize(("limit", "value"), [("minutes", 30.0), ("cost", 1.5)])
def test_a_budget_ends_the_search(cluster: ClusterNodes, limit: str, value: float) -> None:
    given: dict[str, Any] = {"gpus_per_worker": 1, "price": {"gpu_hour": 1.0}}
    found = plan(cluster, "none", 200, 9, resources=given, budget={limit: value, "nodes": 4})
    assert (found.ended_by, found.trials < 200) == (limit, True)
    if limit == "minutes":
        assert found.seconds == pytest.approx(30 * MINUTE, abs=4 * MINUTE)


def test_gangs_are_placed_as_a_whole(cluster: ClusterNodes) -> None:
    found = plan(cluster, "none", 2, resources={"gpus_per_worker": 1, "workers": 4})
    assert found.peak["gpu_spot"] == 8
    assert found.trial.startswith("4 workers with ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"resources": {"gpus_per_worker": 1, "gpu_type": "H100"}}, "resources: asks for H100"),
        ({"resources": {"gpus_per_worker": 2}}, "resources: asks for 2 GPU in a worker"),
        ({"resources": {"gpus_per_worker": 1, "workers": 100}}, "resources: asks for 100 workers"),
        ({"resources": {"gpus_per_worker": 1}, "training": {"fit": {"workers": 100}}}, "training.fit: asks for 100"),
        ({"resources": {"gpus_per_worker": 1, "workers": 4}, "budget": {"nodes": 2}}, "leave room for 2"),
    ],
)
def test_what_does_not_fit_is_told(cluster: ClusterNodes, given: dict[str, Any], told: str) -> None:
    found = plan(cluster, **given)
    assert not found.fits
    assert any(told in line for line in describe_on_cluster(found))
    assert found.to_dict()["nodes_over_time"] == []
    assert found.to_dict()["cost"] is None


def test_the_plan_in_words(cluster: ClusterNodes, tmp_path: Path) -> None:
    found = make_cluster_plan(job(resources={"gpus_per_worker": 1}), cluster, read_prices())
    lines = describe_on_cluster(found)
    assert lines[0].startswith("asks for   1 worker with 8 CPU and 1 GPU each a trial; 8 trials, 8 at once")
    assert sum(line.startswith("nodes ") for line in lines) == 4
    assert any(line.startswith("cost       about ") and "USD" in line for line in lines)
    assert any("say --epoch-seconds" in line for line in lines)
    draw(found.over_time, tmp_path / "nodes.png")
    assert (tmp_path / "nodes.png").read_bytes().startswith(b"\x89PNG")


def test_bars_show_the_most_of_their_time() -> None:
    assert sparkline([(0, 0), (50, 8), (75, 4)], 100, 8) == " " * 20 + "█" * 10 + "▄" * 10

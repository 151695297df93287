"""The table of prices: the shipped one, and one of the user's."""

from pathlib import Path

import pytest

from graft.clusters.make import PROVIDERS, ClusterSettings, make_cluster_file
from graft.clusters.node_types import NodeType, read_cluster
from graft.clusters.prices import read_prices, shipped_text
from graft.core.errors import SpecError


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_machine_of_our_files_has_a_price(provider: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(make_cluster_file(provider, ClusterSettings()))
    cluster, prices = read_cluster(file), read_prices()
    assert [one.name for one in (cluster.head, *cluster.workers) if prices.an_hour(one) is None] == []


def test_spot_costs_less() -> None:
    prices = read_prices()
    spot, on_demand = (NodeType("gpu", {}, machine="g5.2xlarge", is_spot=one) for one in (True, False))
    assert 0 < (prices.an_hour(spot) or 0) < (prices.an_hour(on_demand) or 0)


def test_the_shipped_table_can_be_edited(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(shipped_text().replace("g5.2xlarge: {on_demand: 1.52", "g5.2xlarge: {on_demand: 7.5"))
    assert read_prices(file).an_hour(NodeType("gpu", {}, machine="g5.2xlarge")) == 7.5


def test_what_the_table_lacks_is_named() -> None:
    prices = read_prices()
    kind = NodeType("gpu", {}, machine="p9.large")
    assert prices.an_hour(kind) is None
    assert prices.missing(kind) == "gpu has no on_demand price; add machines: p9.large to the price table"
    assert prices.with_nodes({"gpu": 3.0}).an_hour(kind) == 3.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1]", "is no mapping"),
        ("date: 2026-01-01\ncurrency: EUR\nmachine: {}", "machine is not known; did you mean `machines`"),
        ("currency: EUR", "date: is missing"),
        (
            "date: 1\ncurrency: EUR\nmachines: {a: {on_demand: -1}}",
            "machines.a.on_demand: is `-1`, but must be a price >= 0",
        ),
        ("date: 1\ncurrency: EUR\nmachines: {a: {ondemand: 1}}", "did you mean `on_demand`"),
        ("date: 1\ncurrency: EUR\nmachines: {a: 1}", "machines.a: is `1`, but must be like"),
        ("date: 1\ncurrency: EUR\nstartup_seconds: soon", 'startup_seconds: is `"soon"`'),
        (
            "date: 1\ncurrency: EUR\nstartup_seconds: 1000000",
            "startup_seconds: is `1000000`, but must be seconds >= 0 and at most a",
        ),
        (
            "date: 1\ncurrency: EUR\nmachines: {a: {spot: 1.0e+12}}",
            "machines.a.spot: is `1000000000000.0`, but must be a price",
        ),
        ("date: 1\ncurrency: EUR\nmachines: {5: {spot: 1}}", "machines.5: must be a name; write it in quotes"),
        (
            f"date: 1\ncurrency: EUR\nmachines: {{a: {'x' * 5000}}}",
            "xxxx…`, but must be like",
        ),
        ("date: [1]\ncurrency: EUR", "date: is `[1]`, but must be a word"),
        ('date: 1\ncurrency: "a\\nb"', "`, but must be a word of at most 20"),
        ("date: 2026-13-45\ncurrency: EUR", "no valid YAML: a value of it cannot be read"),
        ("a: [", "prices.yaml:1 is no valid YAML"),
        ("[" * 3000, "is nested too deeply"),
        ("date: 1\ncurrency: EUR\nmachines: {a: {spot: .nan}}", "machines.a.spot: is `NaN`, but must be a price >= 0"),
        ('date: 1\ncurrency: EUR\nmachines: {a: {spot: "1"}}', 'machines.a.spot: is `"1"`, but must be a price >= 0'),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_prices(file)
    assert told.replace("machine is", "machine: is") in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_prices(tmp_path / "none.yaml")

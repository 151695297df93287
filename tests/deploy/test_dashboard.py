"""Grafana's dashboard and Prometheus' rules ask for metrics that there are, by labels that they have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from graft.experiments.standing.metrics import METRICS

KNOWN = {metric.exposed: metric for metric in METRICS}
# Prometheus' own, and the label that every target has.
OWN = {"up"}


def queries(deploy: Path) -> Iterator[str]:
    board = json.loads((deploy / "grafana" / "dashboards" / "graft.json").read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for variable in board["templating"]["list"]:
        yield variable["query"]["query"]
    for group in yaml.safe_load((deploy / "prometheus" / "rules.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def unknown(query: str) -> list[str]:
    """Metrics of a query that are not there, and labels that its metrics do not have."""
    named = re.findall(r"\b(ray_\w+|up)\b", query)
    found = [name for name in named if name not in KNOWN and name not in OWN]
    labels = {label for name in named if name in KNOWN for label in KNOWN[name].labels} | {"job"}
    asked = set(re.findall(r"[{,]\s*(\w+)\s*(?:=|!)", query))
    for listed in re.findall(r"\bby \(([^)]*)\)", query):
        asked |= {one.strip() for one in listed.split(",")}
    return found + sorted(asked - labels)


def test_every_query_asks_for_what_is_there(deploy: Path) -> None:
    found = list(queries(deploy))
    assert len(found) > 15
    assert {query: unknown(query) for query in found if unknown(query)} == {}


def test_prometheus_would_understand_every_query(deploy: Path) -> None:
    asked = [query for query in queries(deploy) if not query.startswith("label_values(")]  # that is Grafana's own
    assert [type(promql_parser.parse(query)).__name__ for query in asked]
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum by (experiment (ray_graft_trials)")


def test_every_metric_is_shown(deploy: Path) -> None:
    asked = " ".join(queries(deploy))
    assert [name for name in KNOWN if name not in asked] == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sum(rate(ray_graft_epochs[1m]))", ["ray_graft_epochs"]),
        ("sum by (experiment, trial) (ray_graft_best_score)", ["trial"]),
        ('ray_graft_trials{status="failed"}', ["status"]),
    ],
)
def test_what_is_not_there_is_found(query: str, told: list[str]) -> None:
    assert unknown(query) == told


def test_panels_lie_beside_each_other(deploy: Path) -> None:
    board: dict[str, Any] = json.loads((deploy / "grafana" / "dashboards" / "graft.json").read_text())
    cells = [
        (x, y)
        for panel in board["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_source_of_the_panels_is_provisioned(deploy: Path) -> None:
    folder = deploy / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    board = json.loads((deploy / "grafana" / "dashboards" / "graft.json").read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    provider = yaml.safe_load((folder / "dashboards" / "graft.yaml").read_text())["providers"][0]
    compose = yaml.safe_load((deploy / "compose" / "compose.yaml").read_text())["services"]["grafana"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in compose["volumes"]
    assert source["url"] == "$PROMETHEUS_URL"
    assert "PROMETHEUS_URL" in compose["environment"]

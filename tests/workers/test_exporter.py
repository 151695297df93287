"""Metrics at the endpoint that Prometheus scrapes, of a real Ray."""

import re
import threading
import time
import urllib.request

import pytest

from graft.core.errors import ArtifactError
from graft.workers.exporter import Exporter, Kind, Metric, Sample, exporting

LEVEL = Metric("graft_test_level", Kind.GAUGE, "A gauge of this test.", ("experiment",))
COUNT = Metric("graft_test_count", Kind.COUNTER, "A counter of this test.", ("experiment",))
MINE = {"experiment": "x"}
WITHIN_S = 60.0


def scraped() -> dict[str, float]:
    """What the node's endpoint says of the metrics of this test, by name."""
    import ray

    node = ray.nodes()[0]
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    lines = re.findall(r'^(ray_graft_test_\w+)\{[^}]*experiment="x"[^}]*\} (\S+)$', text, re.MULTILINE)
    return {name: float(value) for name, value in lines}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_what_is_exported_is_scraped() -> None:
    exporter = Exporter()
    exporter.export([Sample(LEVEL, 1.0, MINE), Sample(COUNT, 3.0, MINE)])
    exporter.export([Sample(LEVEL, 0.25, MINE), Sample(COUNT, 5.0, MINE)])
    wanted = {LEVEL.exposed: 0.25, COUNT.exposed: 5.0}
    until = time.monotonic() + WITHIN_S
    while scraped() != wanted:
        assert time.monotonic() < until, scraped()
        time.sleep(0.2)


class Taken:
    """What is exported, without a Ray."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.samples: list[Sample] = []
        monkeypatch.setattr(Exporter, "export", lambda _, samples: self.samples.extend(samples))


def test_the_last_values_are_exported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, level, begun = Taken(monkeypatch), [1.0], threading.Event()

    def measure() -> list[Sample]:
        begun.set()
        return [Sample(LEVEL, level[0], MINE)]

    with exporting(measure, interval=3600.0):
        assert begun.wait(30)
        level[0] = 2.0
    assert taken.samples[-1].value == 2.0


def test_a_damaged_journal_ends_the_metrics_and_not_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken = Taken(monkeypatch)

    def measure() -> list[Sample]:
        raise ArtifactError("the journal is damaged")

    with exporting(measure):
        pass
    assert taken.samples == []
    assert "metrics are not exported any more" in caplog.text

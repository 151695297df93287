"""Nodes are counted while they are there, over all runs of an experiment."""

import pytest

from graft.journal.events import NodesCounted
from graft.spec.resources import PriceSpec
from graft.workers.nodes.meter import NodeMeter, SeenNode

PRICE = PriceSpec(gpu_hour=1.0, cpu_hour=0.1, node_hour={"spot": 0.36})
SPOT, OTHER = SeenNode("spot", 8, 1), SeenNode("gpu", 2, 1)


def test_what_was_there_is_paid_for() -> None:
    meter = NodeMeter(PRICE, None, 0.0)
    assert meter.look([], 0.0) == NodesCounted({}, {}, 0.0, 0.0)
    first = meter.look([SPOT, SPOT, OTHER], 10.0)
    assert first == NodesCounted({"gpu": 1, "spot": 2}, {}, 0.0, pytest.approx(2 * 0.36 + 1.2))
    assert meter.look([SPOT, SPOT, OTHER], 20.0) is None, "nothing has changed"
    last = meter.look([SPOT], 110.0)
    assert last is not None
    assert last.nodes == {"spot": 1}
    assert last.node_seconds == {"spot": 200.0, "gpu": 100.0}
    assert last.cost == pytest.approx(100 / 3600 * (2 * 0.36 + 1.2), abs=1e-6)


def test_what_stays_is_told_once_a_minute() -> None:
    meter = NodeMeter(PRICE, None, 0.0)
    told = [second for second in range(0, 200, 5) if meter.look([SPOT], float(second))]
    assert told == [0, 60, 120, 180]


def test_a_resumed_experiment_goes_on_counting() -> None:
    meter = NodeMeter(PRICE, NodesCounted({"spot": 3}, {"spot": 500.0}, 0.05, 1.08), 1000.0)
    meter.look([SPOT], 1000.0)
    again = meter.look([], 1100.0)
    assert again is not None
    assert again.node_seconds == {"spot": 600.0}, "nobody knows what there was between the runs"
    assert again.cost == pytest.approx(0.06)

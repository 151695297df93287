"""Metrics of graft at Ray's Prometheus endpoint, which the agent of every node serves (Ray 2.60).

Ray puts ``ray_`` before a name and ``_total`` behind that of a counter, and carries new values to the endpoint every
ten seconds (``RAY_metrics_report_interval_ms``). A process that ends takes its metrics along.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ray.util.metrics import Counter, Gauge

from graft.core.errors import GraftError

INTERVAL_S = 5.0
_LOG = logging.getLogger(__name__)


class Kind(StrEnum):
    """A gauge goes up and down; a counter only grows, and tells of a rate."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Metric:
    """What is measured.

    Attributes:
        name: with its unit, as Prometheus advises; a counter without ``_total``.
        kind: of its values.
        description: one line for whoever looks at the endpoint.
        labels: that tell its series apart.
    """

    name: str
    kind: Kind
    description: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """Its name in Prometheus."""
        return f"ray_{self.name}" + ("_total" if self.kind is Kind.COUNTER else "")


@dataclass(frozen=True)
class Sample:
    """One value of a metric; of a counter the whole count so far."""

    metric: Metric
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Exporter:
    """Gives samples to the Ray that runs."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        self._counted: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def export(self, samples: Iterable[Sample]) -> None:
        """Set gauges, and let counters grow to what they are said to have counted."""
        for sample in samples:
            metric, labels = sample.metric, dict(sample.labels)
            found = self._known.get(metric.name)
            if found is None:
                made = Gauge if metric.kind is Kind.GAUGE else Counter
                found = self._known[metric.name] = made(metric.name, metric.description, metric.labels)
            if metric.kind is Kind.GAUGE:
                found.set(sample.value, labels)
                continue
            series = metric.name, tuple(sorted(labels.items()))
            grown = sample.value - self._counted.get(series, 0.0)
            if grown > 0:
                found.inc(grown, labels)
                self._counted[series] = sample.value


@contextlib.contextmanager
def exporting(measure: Callable[[], Iterable[Sample]], interval: float = INTERVAL_S) -> Iterator[None]:
    """While the block runs, export what `measure` gives, now, every `interval` seconds, and at the end."""
    over = threading.Event()
    thread = threading.Thread(
        target=_export, args=(Exporter(), measure, over, interval), name="graft-metrics", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _export(
    exporter: Exporter, measure: Callable[[], Iterable[Sample]], over: threading.Event, interval: float
) -> None:
    is_last = False
    while True:
        try:
            exporter.export(measure())
        except GraftError:
            # What cannot be read is the driver's business, which gets the same error where it needs it.
            _LOG.warning("metrics are not exported any more", exc_info=True)
            return
        if is_last:
            return
        is_last = over.wait(interval)

"""The benchmark's smallest run: explorations whose models are not good enough."""

import numpy as np
from tests.benchmarks.explore import labels_needed, wrongly_certified
from tests.fixtures.pools import Pool


def test_few_explorations_are_certified_wrongly() -> None:
    assert max(wrongly_certified(10).values()) <= 0.1


def test_labels_are_counted() -> None:
    points = Pool(count=300)
    assert 10 <= labels_needed(points.features, points.codes.astype(np.int64), "typiclust_then_margin", 0) <= 220

import numpy as np
import pytest

from graft.meta.recommend.curves.scale import Scale
from graft.spec.metrics import MetricSpec
from graft.spec.tasks.lookup import all_metrics

METRICS = list({metric.name: metric for _, metric in all_metrics()}.values())


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_values_come_back_and_more_is_better(metric: MetricSpec) -> None:
    scale, values = Scale(metric), np.array([0.1, 0.4, 0.9])
    places = scale.of(values)
    assert np.allclose(scale.back(places), values)
    assert list(places) == sorted(places, reverse=metric.mode == "min")
    assert scale.is_known


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_the_best_value_is_far_but_finite(metric: MetricSpec) -> None:
    best = metric.highest if metric.mode == "max" else metric.lowest
    assert np.isfinite(Scale(metric).of(np.array([best])))
    assert np.isnan(Scale(metric).of(np.array([np.nan])))


def test_a_metric_without_ends_is_not_known() -> None:
    assert not Scale(MetricSpec("any", "max")).is_known

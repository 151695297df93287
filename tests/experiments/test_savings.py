"""What was saved, predicted against measured."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graft.experiments.progress import Progress
from graft.experiments.savings import savings
from graft.journal.events import Event, TrialReported
from graft.models.load import describe_backbone
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
HALF = 8 / describe_backbone(LITE0).num_blocks
JOB = parse_job({
    "name": "x", "data": "digits", "strategy": {"backbone": LITE0, "freeze": HALF, "resolution": 32},
    "training": {"epochs": 4}, "search": {"scheduler": "none", "budget": {"trials": 8}},
})  # fmt: skip
FROZEN = Strategy(backbone=LITE0, freeze=HALF, resolution=32)


def trial(trials: Any, name: str, cache: dict[str, float], seconds: float = 2.0, epochs: int = 4) -> list[Event]:
    """A trial of frozen blocks; what it took to have their features is in its first report."""
    reports: list[TrialReported] = [trials.reported(name, epoch, 0.5, seconds) for epoch in range(1, epochs + 1)]
    told = {f"cache/{key}": value for key, value in cache.items()}
    first = replace(reports[0], metrics={**reports[0].metrics, **told})
    return [trials.started(name, strategy=FROZEN), first, *reports[1:], trials.ended(name)]


BUILT = {"hits": 0.0, "misses": 2.0, "built_bytes": 1000.0, "seconds": 3.0, "pass_seconds": 3.0}
FOUND = {"hits": 2.0, "misses": 0.0, "built_bytes": 0.0, "seconds": 0.0}


def test_what_was_used_and_built_adds_up(fold: Callable[..., Progress], trials: Any) -> None:
    found = savings(JOB, fold(*trial(trials, "t01", BUILT), *trial(trials, "t02", FOUND)))
    assert found["cache"] == {"hits": 2, "misses": 2, "built_bytes": 1000, "seconds_building": 3.0}


def test_the_speed_up_is_the_time_of_the_passes_that_were_not_made(fold: Callable[..., Progress], trials: Any) -> None:
    found = savings(JOB, fold(*trial(trials, "t01", BUILT), *trial(trials, "t02", FOUND)))
    # 8 epochs of 2 s; each would have been 3 s longer, and 3 s were spent once
    assert found["speedup"]["measured"] == pytest.approx((16 + 24) / (16 + 3), abs=1e-3)
    assert 1 < found["speedup"]["predicted"] < 3


def test_a_trial_through_the_whole_network_saves_nothing(fold: Callable[..., Progress], trials: Any) -> None:
    found = savings(JOB, fold(*trial(trials, "t01", BUILT), *trial(trials, "t02", {})))
    assert found["speedup"]["measured"] == pytest.approx((16 + 12) / (16 + 3), abs=1e-3)


def test_without_a_pass_that_was_timed_nothing_is_claimed(fold: Callable[..., Progress], trials: Any) -> None:
    assert savings(JOB, fold(*trial(trials, "t01", FOUND)))["speedup"]["measured"] is None
    assert savings(JOB, fold())["cache"] == {"hits": 0, "misses": 0, "built_bytes": 0, "seconds_building": 0.0}

"""When heads are trained together, and why not."""

from typing import Any

import pytest

from graft.learner.head_fusion import HEADS_AT_ONCE, heads_at_once, reason_not_fused
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.workers.allocation import Allocation

CPUS, GPUS = Allocation(1.0, 0.0, 2), Allocation(4.0, 1.0, 2)


def job(resources: dict[str, Any] | None = None, trials: int | None = 24, **strategy: Any) -> Job:
    raw = {
        "name": "heads",
        "data": "digits",
        "strategy": {"freeze": 1.0, "lr": {"loguniform": [1e-4, 1e-2]}, "resolution": 32, **strategy},
        "search": {"budget": {"trials": trials} if trials else {"minutes": 5}},
        "training": {"epochs": 4},
        "resources": resources or {},
    }
    return parse_job(raw)


def test_heads_are_trained_together_where_there_is_a_gpu() -> None:
    assert reason_not_fused(job(), GPUS) == ""
    assert (
        reason_not_fused(job(), CPUS) == "on CPUs it does not pay; resources.fuse_heads: always wants it all the same"
    )


def test_the_user_has_the_last_word() -> None:
    assert reason_not_fused(job({"fuse_heads": "always"}), CPUS) == ""
    assert reason_not_fused(job({"fuse_heads": "never"}), GPUS) == "resources.fuse_heads is never"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"freeze": {"choice": [0.5, 1.0]}}, "the space also trains blocks"),
        ({"augment": {"choice": ["none", "light"]}}, "samples that are new in every epoch"),
        ({"loss": {"choice": ["cross_entropy", "focal"]}}, "holds the loss focal"),
        ({"resources": {"workers": 2}}, "a trial has several workers"),
        ({"trials": 1, "augment": {"kind": "light", "views": 4}}, "too few trials share their frozen blocks"),
    ],
)
def test_otherwise_each_is_trained_by_itself_and_the_reason_is_told(fields: dict[str, Any], reason: str) -> None:
    assert reason in reason_not_fused(job(**fields), GPUS)


def test_stored_views_and_any_values_of_the_head_are_fine() -> None:
    fields = {
        "augment": {"kind": "light", "views": 2},
        "head": {"kind": "mlp", "width": 64, "dropout": {"uniform": [0.0, 0.5]}},
        "loss": {"kind": "cross_entropy", "label_smoothing": {"uniform": [0.0, 0.2]}},
    }
    assert reason_not_fused(job(**fields), GPUS) == ""


def test_as_many_as_fit_are_open_at_once() -> None:
    assert heads_at_once(job(), GPUS, 24) == 24
    assert heads_at_once(job(trials=None), GPUS, None) == 2 * HEADS_AT_ONCE
    assert heads_at_once(job({"concurrent_trials": 6}), GPUS, 24) == 6
    assert heads_at_once(job(), GPUS, 1) == 1

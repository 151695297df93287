"""What the solved heads of a job take, and the order in which a memory has them come."""

from pathlib import Path
from typing import Any

import pytest

from graft.core.storage import Home
from graft.meta.memory.records import Record, TaskEntry
from graft.meta.memory.store import MemoryStore
from graft.meta.recommend.head_order import in_recommended_order
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import Prior
from graft.models.load import canonical
from graft.pipeline.memory.first import first_of
from graft.pipeline.memory.recommending import Samples, reasons_of, recommend
from graft.spec.job import Job
from graft.spec.load import parse_job

COUNTS = {"train": 1000, "validation": 200}
WHOLE, SHORT = {"freeze": 1.0}, {"freeze": 1.0, "structure": {"keep": 0.7}}
HEADS = [
    {**WHOLE, "head": "ridge", "resolution": 32},
    {**SHORT, "head": "logistic", "resolution": 32},
    {"freeze": 0.5, "resolution": 64},
    {**WHOLE, "head": "ridge", "resolution": 64},
    {**SHORT, "head": "logistic", "resolution": 64},
    {**WHOLE, "head": "ridge", "resolution": 80},
]


def job_of(**search: Any) -> Job:
    raw = {"name": "x", "data": "digits", "strategy": {"lr": {"loguniform": [1e-4, 1e-2]}}, "training": {"epochs": 3}}
    return parse_job({**raw, "search": {"searcher": "meta", "first": HEADS, **search}})


def test_one_pass_gives_the_features_of_a_size_and_what_nobody_can_tell_keeps_its_place() -> None:
    first = first_of(job_of(), COUNTS, slots=2)
    assert [one is None for one in first.works] == [False, False, True, False, False, True]
    small, short, _, large, *_ = first.works
    assert small is not None
    assert short is not None
    assert large is not None
    assert small.features == short.features != large.features
    assert (small.is_deepest, short.is_deepest, large.is_deepest) == (True, False, True)
    assert large.passing == pytest.approx(4 * small.passing)
    assert (first.strategies, first.slots) == (job_of().first, 2)


def test_the_memory_puts_the_heads_in_order_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On all earlier tasks nothing was worth a look but the larger size."""
    monkeypatch.delenv("GRAFT_MEMORY", raising=False)
    home, job = Home(tmp_path / "home"), job_of()
    worth = {32: 0.3, 64: 0.9, 80: 0.9}
    records = [
        Record(
            *(f"t{task}", "image", "classification", one.backbone, "accuracy", "max"),
            worth[getattr(one, "resolution", None) or 64] - 0.01 * place,
            strategy_json=candidate_of(canonical(one)).strategy_json,
            trial=f"t{task}-{place}",
            source="run:x",
            written_at=2e9,
        )
        for task in range(4)
        for place, one in enumerate(job.first)
    ]
    store = MemoryStore.find(home)
    assert store is not None
    store.append(records)
    # One slot: with two, each begins with a pass of its own.
    own = TaskEntry("own", "image", "classification", 1000, 10)
    made = recommend(job, home, 0, 2e9, Samples(lambda: own, first=first_of(job, COUNTS, slots=1)))
    assert made is not None
    prior = Prior.from_dict(made.prior)
    order = in_recommended_order(job.first, prior)
    assert [getattr(one, "resolution", None) for one in order] == [64, 64, 64, 32, 32, 80]
    assert not order[2].head.is_solved
    assert "task t0, where" in reasons_of(prior)(canonical(order[0]))
    later = recommend(job, home, 0, 2e9)
    assert later is not None
    assert Prior.from_dict(later.prior).heads == (), "who does not say what comes first is told no order"

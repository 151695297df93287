"""Which batches train fast enough, and what is said where none can be timed."""

import pytest
import torch

from graft.core.errors import DataError, SpecError
from graft.core.storage import Home
from graft.pipeline.measuring import batch_size
from graft.pipeline.measuring.batch_size import BatchSpeed, BatchSpeeds, batch_speeds_of, smallest_of_the_fast
from graft.pipeline.measuring.subject import subject_of
from graft.spec.job import Job
from graft.spec.strategy import Strategy


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ({4: 10, 8: 20, 16: 40}, 16),
        ({4: 10, 8: 37, 16: 40}, 8),
        ({4: 10, 8: 20, 16: 15}, 8),
        ({4: 10, 8: None}, 4),
    ],
)
def test_the_smallest_of_the_fast_is_recommended(speeds, expected):
    measured = [BatchSpeed(size, speed) for size, speed in speeds.items()]
    assert smallest_of_the_fast(measured) == expected


def test_what_fits_nowhere_is_said():
    with pytest.raises(DataError, match="do not fit into the memory of the GPU, but must; choose a smaller backbone"):
        smallest_of_the_fast([BatchSpeed(4, None)])


def test_it_is_told_in_lines():
    strategy = Strategy()
    speeds = BatchSpeeds(strategy, 100, (BatchSpeed(4, 50.0), BatchSpeed(8, 99.0, 2**30), BatchSpeed(16, None)))
    label, *rows, last = speeds.lines()
    assert label == strategy.label()
    assert rows[1].split() == ["8", "99", "samples/s,", "1.0", "GiB"]
    assert "does not fit" in rows[2]
    assert last == "batch_size: 8 is the smallest within 10% of the fastest; 13 steps an epoch of 100 samples"
    assert [one["fits"] for one in speeds.to_dict()["measured"]] == [True, True, False]


def _job(limit: int, **strategy) -> Job:
    data = {"kind": "digits", "limit": limit}
    return Job.model_validate({"name": "x", "data": data, "strategy": {"freeze": 0.9, "resolution": 32, **strategy}})


@pytest.mark.slow
def test_batches_are_timed_up_to_half_the_rows(home):
    found = batch_speeds_of(_job(60), Home.find(home))
    assert [one.batch_size for one in found.measured] == [4, 8, 16]
    assert all(one.samples_per_second > 0 for one in found.measured)


@pytest.mark.slow
def test_what_does_not_fit_ends_the_measurement(home, monkeypatch):
    timed = batch_size._timed

    def small_gpu(subject, size):
        if size > 8:
            raise torch.OutOfMemoryError("no room")
        return timed(subject, size)

    monkeypatch.setattr(batch_size, "_timed", small_gpu)
    found = batch_speeds_of(_job(100), Home.find(home))
    assert [(one.batch_size, one.fits) for one in found.measured] == [(4, True), (8, True), (16, False)]


def test_a_space_of_solved_heads_has_nothing_to_measure(home):

    with pytest.raises(SpecError, match="which is solved at once, but there must be a strategy that is trained"):
        subject_of(_job(60, head="ridge", freeze=1.0), Home.find(home))

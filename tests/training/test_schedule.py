import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graft.spec.components.schedule import Constant, Cosine, OneCycle
from graft.training.optimizer import lr_factor

steps = st.integers(1, 500)
warmups = st.floats(0, 0.99)


@given(step=st.integers(0, 1000), total=steps)
def test_constant_is_one(step, total):
    assert lr_factor(Constant(), step, total) == 1


@given(warmup=warmups, total=steps)
def test_cosine_rises_to_one_once_then_falls_and_never_reaches_zero(warmup, total):
    factors = [lr_factor(Cosine(warmup=warmup), step, total) for step in range(total)]
    peak = factors.index(max(factors))
    assert max(factors) == pytest.approx(1)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert min(factors) > 0


def test_values_by_hand():
    factors = [lr_factor(Cosine(warmup=0.5), step, 4) for step in range(4)]
    assert factors == pytest.approx([0.5, 1, 1, 0.5])


def test_a_single_step_is_taken_at_the_peak():
    assert lr_factor(Cosine(warmup=0.9), 0, 1) == 1


@given(warmup=warmups, total=steps, extra=st.integers(0, 50))
def test_steps_past_the_end_get_the_last_value(warmup, total, extra):
    schedule = Cosine(warmup=warmup)
    assert lr_factor(schedule, total + extra, total) == lr_factor(schedule, total - 1, total)


@given(rise=st.floats(0.01, 0.99), total=steps)
def test_one_cycle_rises_once_then_falls_and_never_reaches_zero(rise, total):
    factors = [lr_factor(OneCycle(rise=rise), step, total) for step in range(total)]
    peak = factors.index(max(factors))
    assert max(factors) == pytest.approx(1)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert min(factors) > 0


def test_one_cycle_is_the_one_of_torch():
    total = 39  # of 40 steps, 12 go up
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=total + 1, cycle_momentum=False)
    expected = []
    for _ in range(total):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    found = [lr_factor(OneCycle(), step, total) for step in range(total)]
    assert found == pytest.approx(expected)

"""Kill anything, lose nothing, duplicate nothing: real runs under real faults, each held against its guarantee.

What is done, and the guarantee in a sentence, stand beside each fault in `graft.chaos`. For every one, the
trials, their epochs, MLflow's runs and points, and the winner are counted and held against those of an undisturbed run.
Trials run one at a time: with two, their order would depend on the machine, and so might the winner.
"""

import pytest

from graft.chaos.catalog import FAULTS
from graft.chaos.fault import Verdict

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SEEDS = 20


def assert_kept(outcome):
    if outcome.verdict is Verdict.SKIPPED:
        pytest.skip(outcome.problems[0])
    told = f"{outcome.fault}, injected at {outcome.injected_at}: {outcome.guarantee}"
    assert outcome.problems == (), told
    assert (outcome.counts["lost"], outcome.counts["doubled"], outcome.counts["retrained"]) == (0, 0, 0), told
    assert outcome.winner == ("same" if FAULTS[outcome.fault].is_compared else "–"), told


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault(run_fault, name):
    assert_kept(run_fault(name))


@pytest.mark.parametrize("seed", range(1, SEEDS))
def test_the_driver_is_killed_at_any_moment(run_fault, seed):
    assert_kept(run_fault("driver-killed", seed))

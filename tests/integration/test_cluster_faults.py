"""A node leaves a cluster of three in the middle of things: what comes out is what would have come out anyway.

Each script in `cluster_faults` starts a cluster of its own, loses a node at a moment that the search itself names, and
prints what it saw. Searches are replayed (a number stands for the weights, and says which rates it was trained with),
so they can be compared with the same search without processes, to the last bit.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ray

SCRIPTS = Path(__file__).parent / "cluster_faults"
# A script that hangs is ended; nothing is concluded from how long one takes.
WATCHDOG_S = 900


def in_own_cluster(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script, apart from any other Ray on this machine; its last line is its result."""
    with tempfile.TemporaryDirectory(prefix="g") as directory:  # short: Ray puts sockets below it
        apart = {"RAY_TMPDIR": directory, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
        environment = {**os.environ, **apart}
        environment.pop("RAY_ADDRESS", None)
        command = [sys.executable, SCRIPTS / script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=WATCHDOG_S)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def assert_nothing_is_lost_or_counted_twice(found: dict[str, Any]) -> None:
    assert found["twice"] == []
    assert sorted(found["ends"]) == sorted(found["epochs"]) == found["started"]
    assert {trial: epochs for trial, epochs in found["epochs"].items() if epochs != [*range(1, len(epochs) + 1)]} == {}


@pytest.fixture(scope="module")
def asha() -> dict[str, Any]:
    return in_own_cluster("asha_rung.py")


@pytest.fixture(scope="module", params=["alone", "groups"])
def population(request: pytest.FixtureRequest) -> dict[str, Any]:
    return in_own_cluster("pbt_exploit.py", request.param)


@pytest.fixture(scope="module")
def fit() -> dict[str, Any]:
    return in_own_cluster("final_fit.py")


@pytest.mark.slow
class TestInAnAshaRung:
    """The node goes when the best trial, which runs there, has reported epoch 3, between the rungs at 2 and 4."""

    def test_the_trial_on_the_node_goes_on_elsewhere_after_its_last_epoch(self, asha):
        found = asha["found"]
        begun = [one for one in found["begun"] if one["trial"] == asha["simulated"]["winner"]]
        assert [one["done"] for one in begun] == [0, 3]
        assert begun[0]["node"] == found["struck"][0] != begun[1]["node"]

    def test_every_trial_ends_once(self, asha):
        found = asha["found"]
        assert_nothing_is_lost_or_counted_twice(found)
        assert len(found["ends"]) == 9
        assert set(found["ends"].values()) == {"completed", "stopped"}

    def test_the_winner_is_that_of_the_simulation(self, asha):
        # Who is stopped depends on who comes first. Who wins does not: the curves never cross.
        found, winner = asha["found"], asha["simulated"]["winner"]
        assert found["winner"] == winner
        assert found["values"][winner] == asha["simulated"]["values"][winner]


@pytest.mark.slow
class TestAsAPopulationCopies:
    """The node goes when the first exploit is told, with a trial that is held there."""

    def test_a_trial_was_on_the_node(self, population):
        assert population["found"]["struck"]

    def test_it_is_the_search_of_the_simulation(self, population):
        found, simulated = population["found"], population["simulated"]
        assert len(simulated["exploits"]) >= 2
        assert found["exploits"] == simulated["exploits"]
        assert found["values"] == simulated["values"]
        assert found["winner"] == simulated["winner"]

    def test_every_trial_ends_once(self, population):
        assert_nothing_is_lost_or_counted_twice(population["found"])
        assert set(population["found"]["ends"].values()) == {"completed"}

    def test_a_copy_has_the_donors_weights_and_the_changed_rate(self, population):
        values = population["found"]["values"]
        for trial, donor, _, epoch, rate in population["found"]["exploits"]:
            assert values[trial][epoch] == 0.9 * values[donor][epoch - 1] + rate

    def test_nothing_is_trained_again_on_the_lost_node(self, population):
        begun = population["found"]["begun"]
        copied = next(number for number, one in enumerate(begun) if one["segment"])
        assert {one["node"] for one in begun[:copied]} >= {population["found"]["node"]}
        assert population["found"]["node"] not in {one["node"] for one in begun[copied:]}


@pytest.mark.slow
def test_a_population_whose_groups_fill_the_cluster_loses_no_trial_with_a_node():
    told = in_own_cluster("pbt_exploit.py", "full")
    assert told["found"]["values"] == told["simulated"]["values"]
    assert set(told["found"]["ends"].values()) == {"completed"}


@pytest.mark.slow
class TestInTheFinalFit:
    """The node of rank 0 goes in the middle of an epoch, and there is no room for a second worker any more."""

    def test_it_finishes_with_one_worker(self, fit):
        assert fit["starts"] == [2, 1]
        assert fit["value"]["epochs"] == fit["undisturbed"]["epochs"] == 3

    def test_every_step_is_taken_once(self, fit):
        steps = [(epoch, step) for epoch in range(3) for step in range(1, 5)]
        assert [(epoch, step) for _, _, epoch, step in fit["saved"]] == steps
        assert {(attempt, workers) for attempt, workers, *_ in fit["saved"]} == {(0, 2), (1, 1)}

    def test_the_weights_are_those_of_an_undisturbed_fit(self, fit):
        assert fit["same_tensors"]
        assert fit["apart"] < 1e-5
        assert fit["value"]["train/loss"] == pytest.approx(fit["undisturbed"]["train/loss"], abs=1e-5)

    def test_it_leaves_nothing_behind(self, fit):
        assert fit["left_over"] == []


@pytest.mark.slow
def test_a_final_fit_leaves_a_node_before_it_is_taken_away():
    """All ranks stop at one step, though only one of their nodes is to go; the other goes on from there."""
    fit = in_own_cluster("final_fit.py", "drain")
    assert fit["starts"] == [2, 1]
    steps = [(epoch, step) for _, _, epoch, step in fit["saved"]]
    assert sorted(set(steps)) == [(epoch, step) for epoch in range(3) for step in range(1, 5)], "no step is left out"
    again = [(epoch, step) for attempt, _, epoch, step in fit["saved"] if attempt]
    left = [(epoch, step) for attempt, _, epoch, step in fit["saved"] if not attempt]
    assert again[0] > left[-1], "none is taken twice"
    assert fit["value"]["epochs"] == 3
    assert fit["same_tensors"]
    assert fit["apart"] < 1e-5
    assert fit["left_over"] == []


@pytest.mark.slow
def test_a_whole_run_leaves_a_node_before_it_is_taken_away():
    found = in_own_cluster("whole_run.py", "drain")
    assert found["exit_code"] == 0, found["told"]
    assert found["lost_trained"]
    assert found["node"] not in {node for nodes in found["after_the_notice"] for node in nodes}
    assert {key: found["summary"]["trials"][key] for key in ("total", "completed", "failed")} == {
        "total": 2,
        "completed": 2,
        "failed": 0,
    }
    assert found["epochs"] == {"t01": [1, 2, 3, 4], "t02": [1, 2, 3, 4]}
    # A node that has nothing left to do goes at once, maybe before anybody has looked at it.
    assert {state for _, state, *_ in found["told_of_nodes"]} <= {"leaving", "gone"}
    assert set(found["notes"]) <= set(found["lost_trained"])
    for text in found["notes"].values():
        assert re.fullmatch(r"its node will be taken away; epoch \d up to step \d+ is on the disk, .*", text)


@pytest.mark.slow
def test_a_whole_run_loses_a_node_and_no_trial():
    found = in_own_cluster("whole_run.py")
    assert found["exit_code"] == 0, found["told"]
    assert found["lost_trained"]
    assert found["ended_before"] == 0, "the node was lost too late to matter"
    summary = found["summary"]
    assert summary["status"] == "completed"
    assert summary["nodes"] >= 2
    assert {key: summary["trials"][key] for key in ("total", "completed", "failed")} == {
        "total": 2,
        "completed": 2,
        "failed": 0,
    }
    assert found["epochs"] == {"t01": [1, 2, 3, 4], "t02": [1, 2, 3, 4]}
    ((is_the_node, state, trials, text),) = found["told_of_nodes"]
    assert (is_the_node, state, trials) == (True, "gone", found["lost_trained"])
    assert text.endswith(f"is gone; its trial {trials[0]} is tried again elsewhere, from what is on the disk")

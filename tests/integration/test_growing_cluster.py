"""Ray's own autoscaler brings the nodes that the plan says, the rungs of a search let them go, the last leaves.

On one machine, with nodes that declare GPUs which are not there. The picture of a run is docs/autoscaling.png:
`cd tests/integration/growing_cluster && RAY_AUTH_MODE=disabled python search.py ../../../docs/autoscaling.png`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SCRIPTS = Path(__file__).parent / "growing_cluster"
# A script that hangs is ended; nothing is concluded from how long one takes.
WATCHDOG_S = 900


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    picture = tmp_path_factory.mktemp("picture") / "nodes.png"
    found = said_by("search.py", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    return found


def said_by(script: str, *arguments: Path) -> dict[str, Any]:
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, SCRIPTS / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=WATCHDOG_S)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def counts(found: dict[str, Any]) -> list[int]:
    return [sum(nodes.values()) for _, nodes in found["seen"]]


def at(found: dict[str, Any], moment: float) -> int:
    return [sum(nodes.values()) for seconds, nodes in found["seen"] if seconds <= moment][-1]


def test_nodes_come_from_nothing_to_what_the_plan_says(found: dict[str, Any]) -> None:
    assert counts(found)[0] == 0
    peak = {kind: max(nodes[kind] for _, nodes in found["seen"]) for kind in found["planned"]}
    planned = {kind: most for kind, most in found["planned"].items() if kind != "data"}  # no data are read here
    assert peak == {**planned, "data": 0}
    assert max(counts(found)) == found["at_once"] == 4


def test_no_node_comes_twice(found: dict[str, Any]) -> None:
    top = counts(found).index(max(counts(found)))
    assert counts(found)[: top + 1] == sorted(counts(found)[: top + 1])
    assert counts(found)[top:] == sorted(counts(found)[top:], reverse=True)


def test_rungs_let_nodes_go_while_the_best_trains_on(found: dict[str, Any]) -> None:
    last = max(found["ends"], key=found["ends"].get)
    assert last == "t12"
    assert len(found["ends"]) == 12
    assert at(found, found["ends"][last] - 1) <= 2, "four were there, and one trial is left"


def test_the_last_node_leaves_when_it_has_been_idle(found: dict[str, Any]) -> None:
    assert at(found, found["ended"]) >= 1
    assert counts(found)[-1] == 0
    assert found["seen"][-1][0] > found["ended"]


def test_what_the_nodes_cost_is_counted(found: dict[str, Any]) -> None:
    counted = found["counted"]
    assert max(one["nodes"].get("gpu_spot", 0) for one in counted) == 4
    last = counted[-1]
    assert last["cost"] == pytest.approx(last["node_seconds"]["gpu_spot"] * 3.6 / 3600, rel=0.01)
    assert 0 < last["node_seconds"]["gpu_spot"] <= 4 * found["ended"]


def test_trials_that_are_left_move_together_and_a_node_leaves_while_they_train() -> None:
    found = said_by("packing.py")
    assert max(counts(found)) == 3
    ((moved_at, moved),) = found["moved"]
    longest = [trial for trial, epochs in found["epochs"].items() if len(epochs) > 1]
    assert moved in longest
    assert len(longest) == 3, "three were left, one on each node of two GPUs"
    assert at(found, min(found["ends"][trial][0] for trial in longest)) == 2
    assert counts(found)[counts(found).index(3) :] == sorted(counts(found)[counts(found).index(3) :], reverse=True)
    assert all(epochs == sorted(set(epochs)) for epochs in found["epochs"].values()), "no epoch counts twice"
    assert {len(found["epochs"][trial]) for trial in longest} == {12}
    assert {status for _, status in found["ends"].values()} == {"completed"}
    assert moved_at < found["ends"][moved][0]

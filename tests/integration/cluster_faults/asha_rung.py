"""A node is lost in the middle of an ASHA rung, while the trial that will win is between two reports on it."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from replayed import ACCURACY, Heard, Search, begun, run_trial
from three_nodes import ThreeNodes

from graft.search.tuner import Execution, run_search

SEARCH = Search({"kind": "asha", "reduction_factor": 2}, trials=9, epochs=6, slots=2)
# Rungs lie at epochs 1, 2 and 4.
BETWEEN_RUNGS = 3


def main() -> None:
    simulated = SEARCH.simulated().told()
    struck: list[str] = []
    with tempfile.TemporaryDirectory() as name, ThreeNodes(head_cpus=0) as nodes:

        def strike(kind: str, trial: str, epoch: int) -> None:
            if (trial, epoch) == (simulated["winner"], BETWEEN_RUNGS):
                struck.extend(heard.place[trial])
                nodes.lose(struck[0])

        heard = Heard(strike)
        execution = Execution("asha", Path(name) / "tune", ACCURACY, {"CPU": 1.0}, SEARCH.slots)
        run_search(execution, SEARCH.conductor(heard), heard, run_trial, name)
        found: dict[str, Any] = {"struck": struck, **heard.told(), "begun": begun(Path(name))}
    sys.stdout.write(json.dumps({"found": found, "simulated": simulated}))


if __name__ == "__main__":
    main()

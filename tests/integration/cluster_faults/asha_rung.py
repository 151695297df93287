"""A node is lost in the middle of an ASHA rung, while a trial on it is between two reports."""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replayed import ACCURACY, Heard, Search, begun, train
from three_nodes import ThreeNodes

from graft.search.protocol import Proposal, TrialReporter
from graft.search.tuner import Execution, run_search

SEARCH = Search({"kind": "asha", "reduction_factor": 2}, trials=9, epochs=6, slots=3)
# Rungs lie at epochs 1, 2 and 4.
BETWEEN_RUNGS = 3


def run_trial(proposal: Proposal, marks: str, reporter: TrialReporter) -> None:
    def report(epoch: int, metrics: Mapping[str, float]) -> bool:
        reporter.report(epoch, metrics)
        return True

    train(proposal, Path(marks), report)


def main() -> None:
    struck: list[str] = []
    with tempfile.TemporaryDirectory() as name, ThreeNodes() as nodes:

        def strike(kind: str, trial: str, epoch: int) -> None:
            node = heard.place[trial][0]
            if not struck and epoch == BETWEEN_RUNGS and node in nodes.others:
                struck.append(trial)
                nodes.lose(node)

        heard = Heard(strike)
        execution = Execution("asha", Path(name) / "tune", ACCURACY, {"CPU": 1.0}, SEARCH.slots)
        run_search(execution, SEARCH.conductor(heard), heard, run_trial, name)
        found: dict[str, Any] = {"struck": struck, **heard.told(), "begun": begun(Path(name))}
    sys.stdout.write(json.dumps({"found": found, "simulated": SEARCH.simulated().told()}))


if __name__ == "__main__":
    main()

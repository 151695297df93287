"""A small search that machines run, and what its journal in their home says of it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.fixtures.clusters import wait_until
from tests.integration.machines.cluster import Machines

from graft.journal import events
from graft.journal.journal import read

JOB = """
name: mine
data: {kind: image_folder, path: photos}
strategy: {freeze: 0.0, resolution: 64, lr: {loguniform: [1.0e-3, 1.0e-1]}}
training: {epochs: 10, final_on: train}
search: {scheduler: none, budget: {trials: 4}}
export: {register: false}
"""


class Followed:
    """An experiment as the machines' home has it."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.directory = machines.home / "experiments" / name

    def records(self, *kinds: type[events.Event]) -> list[Any]:
        file = self.directory / "journal.jsonl"
        found = [event for _, event in read(file)] if file.exists() else []
        return [event for event in found if isinstance(event, kinds)]

    def hosts(self) -> list[str]:
        """Where its drivers have run, as the journal's writers say."""
        lines = (self.directory / "journal.jsonl").read_text().splitlines()
        return [one["host"] for one in map(json.loads, lines) if one["kind"] == "WriterOpened"]

    def wait_until(self, happened: Callable[[], object], what: str) -> None:
        """Return when it has happened; fails if the run ends before."""
        wait_until(happened, what, why_not=self._ending)

    def wait_for_two_epochs(self) -> None:
        self.wait_until(lambda: len(self.records(events.TrialReported)) >= 2, "two epochs were reported")

    def _ending(self) -> str:
        ended = self.records(events.ExperimentFinished)
        return f"the run has ended ({ended[-1].status}, {ended[-1].detail})" if ended else ""

    def assert_nothing_is_lost_or_counted_twice(self, trials: int) -> None:
        result = json.loads((self.directory / "result.json").read_text())
        assert (result["status"], result["retrained"]) == ("completed", 0)
        assert (result["trials"]["total"], result["trials"]["completed"]) == (trials, trials)
        epochs = Counter((one.trial, one.epoch) for one in self.records(events.TrialReported))
        assert set(epochs.values()) == {1}
        assert len(epochs) == trials * 10
        for_good = (one.trial for one in self.records(events.TrialFinished) if one.status == "completed")
        assert set(Counter(for_good).values()) == {1}
        board = json.loads((self.directory / "leaderboard.json").read_text())
        assert len({row["trial"] for row in board}) == len(board) == trials

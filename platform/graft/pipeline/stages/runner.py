"""Stages: the steps of a run, each done once. A stage whose output is already there is skipped."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graft.core.clock import Clock
from graft.core.errors import ArtifactError
from graft.core.storage import read_json, write_json
from graft.core.stores.copy import publish_tree
from graft.experiments.sharing import is_sent
from graft.experiments.stages import StageName
from graft.journal.ending import why_it_ended
from graft.journal.events import StageFailed, StageFinished, StageSkipped, StageStarted
from graft.journal.journal import Journal

Output = dict[str, Any]


class StageRunner:
    """Runs stages in order, journals them, and keeps each one's output as a small JSON file.

    Args:
        directory: where the outputs lie (`<experiment>/stages`).
        journal: hears of every start and end before anyone else.
        clock: measures the seconds.
    """

    def __init__(self, directory: Path, journal: Journal, clock: Clock) -> None:
        self._directory = directory
        self._journal = journal
        self._clock = clock
        self.seconds: dict[str, float] = {}

    def run(
        self,
        name: StageName,
        work: Callable[[], Output],
        is_valid: Callable[[Output], bool] = lambda _: True,
        detail: str = "",
    ) -> Output:
        """Do the work of a stage, or return the output it left before.

        Args:
            name: the stage.
            work: does it, and returns what later stages need of it (JSON).
            is_valid: whether an output from before can still be used (what it points to may be gone).
            detail: one line for the display while it runs.
        """
        before = self._before(name)
        if before is not None and is_valid(before["output"]):
            self.seconds[name] = before["seconds"]
            self._journal.append(StageSkipped(stage=name, detail="its output is already there"))
            return dict(before["output"])
        self._journal.append(StageStarted(stage=name, detail=detail))
        start = self._clock.elapsed()
        try:
            output = work()
        except BaseException as error:
            self._journal.append(
                StageFailed(stage=name, seconds=self._clock.elapsed() - start, detail=why_it_ended(error))
            )
            raise
        self.seconds[name] = self._clock.elapsed() - start
        write_json(self._path(name), {"output": output, "seconds": self.seconds[name], "places": self._places()})
        self._journal.append(
            StageFinished(stage=name, seconds=self.seconds[name], detail=str(output.get("summary", "")))
        )
        # In this order: who finds the output of a stage in a store finds there what the journal says of it.
        self._journal.settle()
        publish_tree(self._directory.parent, is_sent)
        return output

    def _before(self, name: StageName) -> dict[str, Any] | None:
        if not self._path(name).exists():
            return None
        try:
            stored = read_json(self._path(name))
            places = list(zip(stored.get("places", ()), self._places(), strict=False))
            return {**stored, "output": moved(stored["output"], places)}
        except (ArtifactError, KeyError, TypeError):
            return None  # an unreadable output is no output: the stage runs again

    def _places(self) -> list[str]:
        """Where the paths in an output begin: at the experiment, or else at its home."""
        experiment = self._directory.absolute().parent
        return [str(experiment), str(experiment.parents[1])]

    def _path(self, name: StageName) -> Path:
        return self._directory / f"{name}.json"


def moved(output: Any, places: Sequence[tuple[str, str]]) -> Any:
    """An output whose paths lie below the new place of each pair where they lay below the old one."""
    if isinstance(output, dict):
        return {key: moved(value, places) for key, value in output.items()}
    if isinstance(output, list):
        return [moved(value, places) for value in output]
    for old, new in places:
        if isinstance(output, str) and (output == old or output.startswith(f"{old}/")):
            return new + output[len(old) :]
    return output

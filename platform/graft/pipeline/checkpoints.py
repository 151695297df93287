"""Where the weights of trials lie: the newest states of each, to go on from, and the best epoch, to be exported."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ArtifactError
from graft.search.protocol import Checkpoint
from graft.training.checkpoint import TrainingState, load_state

_STATE = re.compile(r"s(\d+)-e(\d+)\.safetensors")


@dataclass(frozen=True)
class CheckpointStore:
    """The weights of an experiment's trials, one directory each. Pointers are names, so nothing is ever copied."""

    directory: Path

    def state_file(self, checkpoint: Checkpoint) -> Path:
        """The file of a checkpoint."""
        return self.directory / checkpoint.trial / f"s{checkpoint.segment}-e{checkpoint.epoch:04d}.safetensors"

    def best_file(self, trial: str) -> Path:
        """The file with a trial's best epoch."""
        return self.directory / trial / "best.safetensors"

    def of_trial(self, trial: str) -> list[Checkpoint]:
        """The checkpoints of a trial that are there, newest first: by segment, then by epoch."""
        return sorted(self._found(trial), key=lambda one: (one.segment, one.epoch), reverse=True)

    def newest(self, trial: str, segment: int) -> TrainingState | None:
        """The newest whole state of a segment; a damaged one counts as if it was not there."""
        return self._newest(one for one in self.of_trial(trial) if one.segment == segment)

    def load(self, checkpoint: Checkpoint) -> TrainingState:
        """The state that a pointer names; if it is gone or damaged, the one before it in the same segment.

        Raises:
            ArtifactError: there is none.
        """
        segment = [one for one in self.of_trial(checkpoint.trial) if one.segment == checkpoint.segment]
        state = self._newest(one for one in segment if one.epoch <= checkpoint.epoch)
        if state is None:
            raise ArtifactError(
                f"{self.state_file(checkpoint)} is gone, and no older state of {checkpoint.trial} is there; "
                "the trials that go on from it cannot"
            )
        return state

    def prune(self, trial: str, keep: Collection[Checkpoint], newest: int) -> None:
        """Delete the states of a trial, but for its newest few and those to keep."""
        for checkpoint in self.of_trial(trial)[newest:]:
            if checkpoint not in keep:
                self.state_file(checkpoint).unlink(missing_ok=True)

    def _found(self, trial: str) -> Iterator[Checkpoint]:
        directory = self.directory / trial
        for file in directory.iterdir() if directory.is_dir() else ():
            if named := _STATE.fullmatch(file.name):
                yield Checkpoint(trial, int(named[1]), int(named[2]))

    def _newest(self, candidates: Iterator[Checkpoint]) -> TrainingState | None:
        for checkpoint in candidates:
            try:
                return load_state(self.state_file(checkpoint))
            except ArtifactError:
                continue  # written by a process that was killed, or pruned meanwhile
        return None

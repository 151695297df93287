"""Where the weights of trials lie: the newest states of each, to go on from, and the best epoch, to be exported."""

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ArtifactError, ResourceError
from graft.core.stores.copy import PATIENCE_S, Copy, bring, drop, is_there
from graft.core.stores.sender import LATE_S, Sender
from graft.search.protocol import Checkpoint
from graft.spec.metrics import MetricSpec
from graft.training.checkpoint import TrainingState, load_state, save_state, stored_metrics

_SUFFIX = ".safetensors"
_STATE = re.compile(r"s(\d+)-e(\d+)\.safetensors")
_CUT = re.compile(r"s(\d+)-e(\d+)\.cut\.safetensors")
# Weights leave so much of the disk free, or the twentieth part of a small one: the journal must be able to go on.
RESERVED_BYTES = 64 << 20
RESERVED_SHARE = 0.05
_LOOK_S = 1.0
_KEPT_HERE = 2

OnDamage = Callable[[str], None]
"""Hears of a file that cannot be used, in a sentence for the user."""


@dataclass(frozen=True)
class CheckpointStore:
    """The weights of an experiment's trials, one directory each. Pointers are names, so nothing is ever copied.

    In a home that is a store, each node has copies of what it has written or been asked for; the store has all of it.

    Attributes:
        directory: of all of them.
        patience: how many seconds a store that is away is waited for when it is asked what is there.
    """

    directory: Path
    patience: float = PATIENCE_S

    def state_file(self, checkpoint: Checkpoint) -> Path:
        """The file of a checkpoint."""
        return self.directory / checkpoint.trial / f"s{checkpoint.segment}-e{checkpoint.epoch:04d}.safetensors"

    def cut_file(self, checkpoint: Checkpoint) -> Path:
        """The file of a state from the middle of the epoch after, which a process has left that had to go."""
        return self.state_file(checkpoint).with_suffix(f".cut{_SUFFIX}")

    def best_file(self, trial: str) -> Path:
        """The file with a trial's best epoch."""
        return self.directory / trial / "best.safetensors"

    def best_weights(self, trial: str, metric: MetricSpec, score: float | None) -> Path | None:
        """The file with a trial's best epoch, if its weights are as good as the search knows the trial to be.

        They are not where the disk took no more files at the best epoch: then those of an earlier epoch are there, of
        a later one, or none.

        Args:
            trial: whose.
            metric: what the search compares.
            score: the trial's best value of it.
        """
        file = self.best_file(trial)
        stored = (stored_metrics(bring(file)) or {}).get(f"val/{metric.name}")
        if score is None or stored is None or metric.is_better(score, stored):
            return None
        return file

    def of_trial(self, trial: str) -> list[Checkpoint]:
        """The checkpoints of a trial that are there, newest first: by segment, then by epoch."""
        return self._found(trial, self._names(trial), _STATE)

    def keep(self, state: TrainingState, file: Path, sender: Sender) -> str:
        """Write weights, unless the disk does not take them; returns why they are not there, or nothing.

        Args:
            state: the weights.
            file: where to.
            sender: has a home that is a store have them.
        """
        needed = sum(tensor.numel() * tensor.element_size() for tensor in state.tensors.values())
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            usage = shutil.disk_usage(file.parent)
            if usage.free - needed < min(RESERVED_BYTES, usage.total * RESERVED_SHARE):
                return f"the disk has {usage.free / 1e6:.0f} MB left, so {file.name} is not kept; free some"
            save_state(state, file)
            sender.send(file)
            self._let_go(file)
        except (ResourceError, OSError) as error:  # full, read-only, away: training goes on without
            return f"{file.name} is not kept: {error}"
        return ""

    def newest(self, trial: str, segment: int, on_damage: OnDamage) -> TrainingState | None:
        """The newest whole state of a segment, be it in an epoch; a damaged one counts as if it was not there."""
        names = self._names(trial)
        states, cuts = (
            [one for one in self._found(trial, names, pattern) if one.segment == segment] for pattern in (_STATE, _CUT)
        )
        newer = [one for one in cuts if not states or one.epoch >= states[0].epoch]
        cut = next((found for one in newer if (found := _load(bring(self.cut_file(one)), on_damage))), None)
        return cut or self._newest(iter(states), on_damage)

    def best(self, trial: str, on_damage: OnDamage) -> TrainingState | None:
        """A trial's best epoch; None if it is not there, or damaged."""
        return _load(bring(self.best_file(trial)), on_damage)

    def load(self, checkpoint: Checkpoint, on_damage: OnDamage) -> TrainingState:
        """The state that a pointer names; if it is gone or damaged, the one before it in the same segment.

        Raises:
            ArtifactError: there is none.
        """
        self._await(self.state_file(checkpoint))
        segment = [one for one in self.of_trial(checkpoint.trial) if one.segment == checkpoint.segment]
        state = self._newest((one for one in segment if one.epoch <= checkpoint.epoch), on_damage)
        if state is None:
            raise ArtifactError(
                f"{self.state_file(checkpoint)} is gone, and no older state of {checkpoint.trial} is there; "
                "the trials that go on from it cannot"
            )
        return state

    def _let_go(self, file: Path) -> None:
        """Keep only the newest states of a trial on a node: a home that is a store has the others."""
        copy, named = Copy.of(file), _STATE.fullmatch(file.name)
        if copy is None or named is None:
            return
        states = (path for path in file.parent.iterdir() if _STATE.fullmatch(path.name))
        for path in sorted(states, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT_HERE:]:
            if copy.known.is_alike(path):
                path.unlink(missing_ok=True)

    def _await(self, file: Path) -> None:
        """Wait some seconds for a file of another node that is late (`Sender`)."""
        if Copy.of(file) is None:
            return
        deadline = time.monotonic() + LATE_S
        while not is_there(file) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def prune(self, trial: str, keep: Collection[Checkpoint], newest: int) -> None:
        """Delete the states of a trial, but for its newest few and those to keep, and old ones from within an epoch."""
        names = self._names(trial)
        states = self._found(trial, names, _STATE)
        for checkpoint in states[newest:]:
            if checkpoint not in keep:
                drop(self.state_file(checkpoint))
        for cut in self._found(trial, names, _CUT):
            if not newest or (states and _order(cut) < _order(states[0])):
                drop(self.cut_file(cut))

    def drop_best(self, trial: str) -> None:
        """Delete a trial's best epoch."""
        drop(self.best_file(trial))

    def _names(self, trial: str) -> set[str]:
        directory = self.directory / trial
        names = {file.name for file in directory.iterdir()} if directory.is_dir() else set()
        if (copy := Copy.of(directory)) is not None:
            names |= copy.names(directory, self.patience)
        return names

    def _found(self, trial: str, names: set[str], pattern: re.Pattern[str]) -> list[Checkpoint]:
        """What names say, newest first."""
        found = (pattern.fullmatch(name) for name in names)
        return sorted((Checkpoint(trial, int(one[1]), int(one[2])) for one in found if one), key=_order, reverse=True)

    def _newest(self, candidates: Iterator[Checkpoint], on_damage: OnDamage) -> TrainingState | None:
        files = (bring(self.state_file(checkpoint), is_final=True) for checkpoint in candidates)
        states = (_load(file, on_damage) for file in files)
        return next((state for state in states if state is not None), None)


def _order(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.segment, checkpoint.epoch


def _load(file: Path, on_damage: OnDamage) -> TrainingState | None:
    try:
        return load_state(file)
    except ArtifactError as error:
        if file.exists():  # else pruned meanwhile
            on_damage(str(error))
        return None

"""Training state on disk: one safetensors file with a digest of its whole meaning. No pickle."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors
from graft.core.storage import canonical_json, disk_full_is_clear
from graft.models.weights.system_errors import system_errors
from graft.training.plan import PartialEpoch

FORMAT = 2
_REDO = "delete it and train again, or take an older state"


@dataclass(frozen=True)
class TrainingState:
    """Everything from which training goes on as if it had never stopped.

    Attributes:
        epochs_done: whole epochs behind.
        best_epoch: 1-based epoch of the best state so far, or None before the first.
        best_metrics: metrics of that epoch.
        tensors: named ``model/…``, ``best/…``, ``optimizer/…`` and ``average/…``.
        partial: how far the epoch after the whole ones has come; `steps` count batches of `batch_size`.
        batch_size: of the strategy under which the state was taken.
    """

    epochs_done: int
    best_epoch: int | None = None
    best_metrics: Mapping[str, float] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    partial: PartialEpoch = field(default_factory=PartialEpoch)
    batch_size: int = 0

    @property
    def last(self) -> dict[str, Tensor]:
        """The weights to keep of the last step: their average, where there is one."""
        return self.part("average") or self.part("model")

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of one part, by their names without the prefix."""
        prefix = f"{name}/"
        return {key.removeprefix(prefix): tensor for key, tensor in self.tensors.items() if key.startswith(prefix)}


def save_state(state: TrainingState, path: Path) -> None:
    """Write a state to one file; a reader sees the old file or the whole new one.

    Raises:
        ResourceError: the disk is full.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    facts = {
        "format": FORMAT,
        "epochs_done": state.epochs_done,
        "partial": asdict(state.partial),
        "batch_size": state.batch_size,
        "best_epoch": state.best_epoch,
        "best_metrics": dict(state.best_metrics),
    }
    metadata = {"graft": canonical_json(facts), "sha256": _digest(facts, tensors)}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with disk_full_is_clear(path):
            _write(scratch, tensors, metadata)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def load_state(path: Path) -> TrainingState:
    """Read a state back, on the CPU.

    Raises:
        ArtifactError: the file is missing, damaged, or of another format.
    """
    try:
        with machine_errors(path, is_ours=True), safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  (it is no mapping)
        facts = json.loads(metadata["graft"])
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is no training state ({error}); {_REDO}") from error
    if _digest(facts, tensors) != metadata.get("sha256"):
        raise ArtifactError(f"{path} is damaged: its content must match the digest written with it; {_REDO}")
    if facts["format"] > FORMAT:
        raise ArtifactError(f"{path} has format {facts['format']}, but must have at most {FORMAT}; upgrade graft")
    if facts["format"] < FORMAT:
        raise ArtifactError(f"{path} has format {facts['format']}, but must have {FORMAT}; {_REDO}")
    return TrainingState(
        epochs_done=facts["epochs_done"],
        best_epoch=facts["best_epoch"],
        best_metrics=facts["best_metrics"],
        tensors=tensors,
        partial=PartialEpoch(**facts["partial"]),
        batch_size=facts["batch_size"],
    )


def stored_metrics(path: Path) -> Mapping[str, float] | None:
    """The metrics of the best epoch, from the head of a file alone; None if it is missing or no state."""
    try:
        with safe_open(path, framework="pt") as stored:
            metrics: Mapping[str, float] = json.loads((stored.metadata() or {})["graft"])["best_metrics"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return metrics


def _write(name: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with system_errors():
        save_file(tensors, name, metadata)
    with open(name, "rb") as written:
        os.fsync(written.fileno())


def _digest(facts: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(canonical_json(facts).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()

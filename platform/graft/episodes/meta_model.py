"""The meta-model: a directory with what was learned over tasks, and all that it fits. No pickle anywhere.

```
manifest.json         what it was learned on and what it needs, sha256 of the weights
weights.safetensors   every parameter and buffer of start and adapter
replay.safetensors    a bounded number of samples of earlier tasks, for updates
```
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors
from graft.core.storage import file_digest, new_directory, read_json, write_json
from graft.episodes.adapters.protocol import Adapter
from graft.episodes.objective import MetaLoss
from graft.episodes.samples import Samples
from graft.episodes.starts.protocol import Start
from graft.models.weights.system_errors import system_errors
from graft.spec.base import Spec
from graft.spec.meta.adapters import AdapterSpec
from graft.spec.meta.starts import StartSpec
from graft.spec.registry import build, union

if TYPE_CHECKING:
    AnyStart: TypeAlias = StartSpec
    AnyAdapter: TypeAlias = AdapterSpec
else:
    AnyStart, AnyAdapter = union("meta_start"), union("adapter")

FORMAT = 1
Shape = Annotated[tuple[int, ...], Field(strict=False)]
MANIFEST, WEIGHTS, REPLAY = "manifest.json", "weights.safetensors", "replay.safetensors"


class TrainingTasks(Spec):
    """Classes that tasks were drawn from."""

    source: str = Field("", description="Where their samples come from.")
    dataset: str = Field("", description="Fingerprint of the dataset.")
    classes: tuple[str, ...] = Field(strict=False, description="Their names.")


class MetaModelSpec(Spec):
    """Everything about a meta-model but its weights."""

    name: str = Field(min_length=1, description="What it is called.")
    start: AnyStart = Field(description="Where adaptation starts.")
    adapter: AnyAdapter = Field(description="How it is adapted.")
    shapes: dict[str, Shape] = Field(description="Of a sample, by view.")
    bytes: tuple[str, ...] = Field((), strict=False, description="Views whose numbers are bytes, 0 to 255.")
    modality: str = Field("", description="What a sample is.")
    backbone: str = Field("", description="Whose features it is given; empty if it reads samples themselves.")
    backbone_digest: str = Field("", description="sha256 of that backbone's weights.")
    preprocessing: dict[str, Any] = Field(default_factory=dict, description="From a sample to that backbone's input.")
    tasks: tuple[TrainingTasks, ...] = Field((), strict=False, description="What it was learned on, in turn.")
    scores: dict[str, Any] = Field(default_factory=dict, description="On held-out tasks, by protocol.")
    created: str = Field("", description="When it was written, ISO 8601.")

    @property
    def about(self) -> str:
        """``meta-learned on 1,500 classes``."""
        count = sum(len(one.classes) for one in self.tasks)
        return f"meta-learned on {count:,} class" + ("" if count == 1 else "es")


@dataclass(frozen=True)
class MetaModel:
    """A meta-model whose files have been checked.

    Attributes:
        directory: where it lies.
        spec: everything but the weights.
        digest: sha256 of its weights.
    """

    directory: Path
    spec: MetaModelSpec
    digest: str

    def weights(self) -> dict[str, Tensor]:
        """Of start and adapter, by name.

        Raises:
            ArtifactError: they cannot be read.
        """
        try:
            with machine_errors(self.directory / WEIGHTS, is_ours=True):
                found: dict[str, Tensor] = load_file(self.directory / WEIGHTS)
                return found
        except SafetensorError as error:
            raise _damaged(self.directory, WEIGHTS) from error

    def build(self) -> MetaLoss:
        """Start and adapter with their weights, in eval mode.

        Raises:
            ArtifactError: the weights do not fit.
        """
        loss = built(self.spec.start, self.spec.adapter, self.spec.shapes)
        try:
            loss.load_state_dict(self.weights())
        except RuntimeError as error:
            raise _damaged(self.directory, WEIGHTS) from error
        return loss.eval()

    def replay(self) -> Samples | None:
        """Samples of the tasks that it was learned on; None if none were kept.

        Raises:
            ArtifactError: they cannot be read.
        """
        path = self.directory / REPLAY
        if not path.is_file():
            return None
        try:
            with machine_errors(path, is_ours=True):
                found = load_file(path)
            labels, groups = (found.pop(name).numpy() for name in ("labels", "groups"))
        except (SafetensorError, KeyError) as error:
            raise _damaged(self.directory, REPLAY) from error
        return Samples(found, labels, groups)


def built(start: StartSpec, adapter: AdapterSpec, shapes: Mapping[str, tuple[int, ...]]) -> MetaLoss:
    """Start and adapter as they begin; their weights are drawn from torch's global generator."""
    one: Start = build(start, shapes)
    other: Adapter = build(adapter, one)
    return MetaLoss(one, other)


def write_meta_model(
    directory: Path, spec: MetaModelSpec, weights: Mapping[str, Tensor], replay: Samples | None = None
) -> MetaModel:
    """Write a meta-model; it is there as a whole or not at all.

    Args:
        directory: must not exist yet.
        spec: everything but the weights.
        weights: of `MetaLoss`.
        replay: samples that an update sees again.

    Raises:
        ArtifactError: the directory exists.
        ResourceError: the disk is full.
    """
    if directory.exists():
        raise ArtifactError(f"meta-model {directory} exists already; remove it or choose another directory")
    with new_directory(directory) as scratch, system_errors():
        save_file({name: one.detach().contiguous().clone() for name, one in weights.items()}, scratch / WEIGHTS)
        if replay is not None:
            views = {name: view.contiguous() for name, view in replay.inputs.items()}
            codes = {"labels": torch.from_numpy(replay.labels), "groups": torch.from_numpy(replay.groups)}
            save_file({**views, **codes}, scratch / REPLAY)
        digest = file_digest(scratch / WEIGHTS)
        write_json(scratch / MANIFEST, {**spec.model_dump(mode="json"), "format": FORMAT, "weights": digest})
    return MetaModel(directory, spec, digest)


def read_meta_model(directory: Path) -> MetaModel:
    """Open a meta-model and check its weights against the manifest.

    Raises:
        ArtifactError: it is missing, damaged, or of a newer format.
    """
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} is no meta-model: it has no {MANIFEST}; make one with `graft meta-train`")
    manifest = read_json(directory / MANIFEST)
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int:
        raise _damaged(directory, MANIFEST)
    if "files" in manifest:
        told = f"{directory} is the bundle of a model, but no meta-model"
        raise ArtifactError(f"{told}; name one that `graft meta-train` has made, such as models:/NAME.meta@champion")
    if manifest["format"] > FORMAT:
        raise ArtifactError(
            f"meta-model {directory} has format {manifest['format']}, but this graft reads up to {FORMAT}; "
            "upgrade graft"
        )
    path = directory / WEIGHTS
    if not path.is_file() or file_digest(path) != manifest.get("weights"):
        raise _damaged(directory, WEIGHTS)
    try:
        spec = MetaModelSpec.read_stored(manifest)
    except ValidationError as error:
        raise _damaged(directory, MANIFEST) from error
    return MetaModel(directory, spec, str(manifest["weights"]))


def bounded(samples: Samples, classes: int, each: int, seed: int = 0) -> Samples:
    """A part of some samples: so many classes, and of each so many samples, at most."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(samples.classes)[:classes]
    rows = [rng.permutation(np.flatnonzero(samples.labels == one))[:each] for one in chosen]
    return samples.some(np.sort(np.concatenate(rows)))


def joined(one: Samples, other: Samples) -> Samples:
    """Both, with classes and groups told apart."""
    inputs = {name: torch.cat([view, other.inputs[name].to(view.dtype)]) for name, view in one.inputs.items()}
    labels = np.concatenate([one.labels, other.labels + one.labels.max() + 1])
    return Samples(inputs, labels, np.concatenate([one.groups, other.groups + one.groups.max() + 1]))


def _damaged(directory: Path, name: str) -> ArtifactError:
    return ArtifactError(f"{name} of meta-model {directory} is damaged; copy it again, or run `graft meta-train` anew")

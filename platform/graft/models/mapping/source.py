"""What weights are mapped from: a backbone by its name, a file, a folder, or the bundle of an earlier task.

No torch at the top: `graft validate` asks whether a source is there, and what its digest is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import canonical_json, file_digest, text_digest
from graft.core.uris import user_path
from graft.models.bundle_files import MANIFEST, WEIGHTS
from graft.models.info import BackboneInfo
from graft.models.weights.header import SUFFIXES
from graft.models.zoo import ZOO, find_entry, has_backbone

if TYPE_CHECKING:
    from torch import Tensor

    from graft.models.backbone import Backbone
    from graft.models.bundle import Bundle
    from graft.models.mapping.weights import Weights

# As large networks are cut into files.
_PART, _INDEX = re.compile(r"-(\d+)-of-(\d+)\.\w+$"), ".index.json"
_HEAD, _BACKBONE = "head.", "backbone."
_COPY = "-copy"
_FORMS = (
    "must be a backbone (`graft zoo ls`), a file of weights (.safetensors, .pth), a folder with one, a bundle, or "
    "models:/NAME"
)


@dataclass(frozen=True)
class Opened:
    """A source that has been read.

    Attributes:
        weights: of the backbone.
        backbone: the network they are of, at the size asked for, in eval mode; None where only a file is known.
        head: of a bundle, by their names in its head.
    """

    weights: Weights
    backbone: Backbone | None = None
    head: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where weights are mapped from.

    Attributes:
        name: a backbone's name, or an absolute path.
        kind: what it is.
        version: of a registered model, by its number; empty for all else.
    """

    name: str
    kind: Literal["backbone", "bundle", "file"]
    version: str = ""

    def digest(self) -> str:
        """sha256 of all that the mapping depends on, in hex: other weights, labels or tokens have another one.

        Raises:
            ArtifactError: it is not there any more, or damaged.
        """
        if self.kind == "file":
            return file_digest(Path(self.name))
        if self.kind == "bundle":
            files = {path.name: file_digest(path) for path in sorted(Path(self.name).iterdir()) if path.is_file()}
            return text_digest(canonical_json(files))
        weights = find_entry(self.name).weights
        files = {file.path.name: file.found() for file in weights.files()}
        if problem := weights.problem():
            raise ArtifactError(problem)
        assert self.info is not None, "a backbone is known"
        known = {"architecture": self.info.architecture, "input": self.info.input.to_dict()}
        return text_digest(canonical_json({**known, **files}))

    @cached_property
    def bundle(self) -> Bundle | None:
        """What the bundle says, checked against its manifest; None for other kinds."""
        if self.kind != "bundle":
            return None
        from graft.models.bundle import read_bundle

        return read_bundle(Path(self.name))

    @cached_property
    def info(self) -> BackboneInfo | None:
        """The facts about its backbone; None where only a file is known."""
        from graft.models.libraries import library_for
        from graft.models.load import describe_backbone

        if self.bundle is not None:
            library, architecture = library_for(self.bundle.spec.architecture)
            return library.describe(architecture)
        return describe_backbone(self.name) if self.kind == "backbone" else None

    def open(self, size: int | None = None) -> Opened:
        """Read the weights.

        Args:
            size: of the inputs of the network, where it is built; None means native. A bundle has its own.

        Raises:
            ArtifactError: they are missing, damaged, or not those of the architecture.
            SpecError: the network cannot work at this size.
        """
        from graft.models.load import load_backbone
        from graft.models.mapping.heads import heads_of
        from graft.models.mapping.weights import Weights, named_backbone, weights_of
        from graft.models.structure.edited import depth_of
        from graft.models.weight_files import read_weights

        if self.bundle is not None:
            spec, network = self.bundle.spec, self.bundle.build()
            _, names = named_backbone(spec.architecture, spec.preprocessing.size)
            state, structure = network.backbone.state_dict(), spec.strategy.structure
            if structure.asks_for_residual:
                state = _in_place(state, structure.blocks(depth_of(spec.architecture)))
            return Opened(
                Weights(state, names, heads_of(network.backbone)), network.backbone, network.head.state_dict()
            )
        if self.kind == "backbone":
            loaded = load_backbone(self.name, size)
            _, names = named_backbone(find_entry(self.name).architecture, size)
            return Opened(weights_of(loaded.backbone, names), loaded.backbone)
        state = read_weights(Path(self.name))
        if any(name.startswith(_BACKBONE) for name in state):  # the weights of a bundle, without the rest of it
            head = {name: tensor for name, tensor in state.items() if name.startswith(_HEAD)}
            state = {name.removeprefix(_BACKBONE): one for name, one in state.items() if name.startswith(_BACKBONE)}
            return Opened(Weights(state), head={name.removeprefix(_HEAD): one for name, one in head.items()})
        return Opened(Weights(state))


def find_source(name: str) -> Source:
    """What a name stands for; nothing is read.

    Args:
        name: of a backbone, or a path. Registered models are found before, because it takes a tracking store.

    Raises:
        SpecError: nothing of that name is there.
    """
    path = user_path(name)
    if path.is_dir():
        return _in_folder(name, path.absolute())
    if path.is_file():
        _refuse_part(name, path)
        if path.name == WEIGHTS and (path.parent / MANIFEST).is_file():
            return Source(str(path.parent.absolute()), "bundle")  # which says how its network was edited
        if path.suffix not in SUFFIXES:
            raise SpecError(f"source {name} is no file of weights, but must end in {', '.join(SUFFIXES)}")
        return Source(str(path.absolute()), "file")
    if has_backbone(name):
        return Source(name, "backbone")
    if ":" in name and not name.startswith(("/", "~", ".")):
        find_entry(name)  # says which form a name must have
    from graft.core.registry import unknown

    near = unknown("backbone", name, ZOO.names()) if "/" not in name and not path.suffix else "does not exist"
    raise SpecError(f"source {name} {near if near == 'does not exist' else f'is not there ({near})'}; it {_FORMS}")


def _in_place(state: Mapping[str, Tensor], places: Sequence[int]) -> dict[str, Tensor]:
    """Tensors of a network of which blocks were left out, or copied, by the names that the whole network has for them.

    A copy behind a block has none there.
    """
    labels = [f"{place}{_COPY * (index > 0 and places[index - 1] == place)}" for index, place in enumerate(places)]
    found = {}
    for name, tensor in state.items():
        head, *rest = name.split(".")
        place = [labels[int(rest[0])], *rest[1:]] if head == "blocks" else rest
        found[".".join([head, *place])] = tensor
    return found


def _refuse_part(name: str, path: Path) -> None:
    """Half of a network would pass for a whole one of another kind, as soon as half is enough."""
    part = _PART.search(path.name)
    if part and int(part[2]) > 1:
        told = f"is part {int(part[1])} of {int(part[2])} of a network"
    elif path.name.endswith(_INDEX):
        told = "is the list of the parts of a network"
    else:
        return
    rule = "but must be one file of all its tensors; load all parts, and save them as one"
    raise SpecError(f"source {name} {told}, {rule}")


def _in_folder(name: str, path: Path) -> Source:
    if (path / MANIFEST).is_file():
        return Source(str(path), "bundle")
    if (path / "config.json").is_file():
        return Source(f"hf:{path}", "backbone")
    found = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES and one.is_file())
    for one in found:
        _refuse_part(f"{name}/{one.name}", one)
    if len(found) != 1:
        held = f"{len(found)} files of weights ({', '.join(one.name for one in found[:3])})" if found else "no weights"
        raise SpecError(f"source {name} is a folder with {held}, but must be a bundle or hold one such file; name it")
    return Source(str(found[0]), "file")

"""The bundle: a directory that holds a trained network and all that prediction needs. No pickle anywhere.

```
manifest.json         format, graft's version, how the network is built, metrics, sha256 and size of the other files
weights.safetensors   every parameter and buffer of the network
targets.json          the task, the names of what is predicted in the order of the outputs, what the task must know
preprocessing.json    from a sample to the network's input
…                     files that the modality needs beside them, such as a tokenizer
member-…/             of an ensemble: each further network, as a bundle of its own
```

Format 1 knew images and classes only: it had ``labels.json`` with the names instead of ``targets.json``. Format 3 is an
ensemble: a reader that knows one network alone would answer with its first member, and say so to nobody.
"""

import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from graft.core.errors import ArtifactError, SpecError
from graft.core.passing_errors import machine_errors
from graft.core.storage import file_digest, new_directory, read_json, write_json
from graft.models.bundle_files import MANIFEST, PREPROCESSING, TARGETS, WEIGHTS
from graft.models.libraries import build_backbone
from graft.models.network import Network, head_of
from graft.models.structure.edited import edited
from graft.models.weights.system_errors import system_errors
from graft.spec.base import Spec
from graft.spec.modalities.base import ModalitySpec, Preprocessing
from graft.spec.registry import members, union
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import TaskSpec

if TYPE_CHECKING:
    Task: TypeAlias = TaskSpec
else:
    Task = union("task")

FORMAT, ENSEMBLE_FORMAT = 2, 3
_PAYLOAD = (WEIGHTS, TARGETS, PREPROCESSING)
_LABELS_1 = "labels.json"
_PAYLOAD_1 = (WEIGHTS, _LABELS_1, PREPROCESSING)


class EnsembleMember(Spec):
    """A further network of an ensemble."""

    directory: str = Field(pattern=r"^member-[A-Za-z0-9_]+$", description="Of its bundle, in that of the ensemble.")
    share: float = Field(ge=0, le=1, description="How much its answers count.")
    sha256: str = Field("", description="Of the manifest of its bundle, which states those of its other files.")


class EnsembleSpec(Spec):
    """Several networks whose answers are averaged; the first is that of the bundle itself."""

    share: float = Field(ge=0, le=1, description="How much the answers of the first count.")
    facts: dict[str, Any] = Field(description="What the first must know to answer by itself.")
    members: tuple[EnsembleMember, ...] = Field((), strict=False, description="The others.")


class BundleSpec(Spec):
    """Everything about a trained network but its weights."""

    name: str = Field(min_length=1, description="What the model is called.")
    architecture: str = Field(
        min_length=1, description="`library/architecture`: builds the backbone without its weights."
    )
    strategy: Strategy = Field(description="How it was adapted; its head is part of the network.")
    modality: str = Field("image", description="What a sample is.")
    task: Task = Field(description="What is asked of it.")
    names: tuple[str, ...] = Field(min_length=1, strict=False, description="Of what is predicted, as the outputs.")
    facts: dict[str, Any] = Field(default_factory=dict, description="What the task must know to answer.")
    num_outputs: int = Field(ge=1, description="Length of the output vector.")
    preprocessing: SerializeAsAny[Preprocessing] = Field(description="From a sample to the network's input.")
    invariances: dict[str, Any] = Field(
        default_factory=dict, description="What may be done to a sample without changing its label."
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="Scores on held-out data.")
    dataset: str = Field("", description="Fingerprint of the dataset it was trained on.")
    created: str = Field("", description="When it was written, ISO 8601.")
    ensemble: EnsembleSpec | None = Field(None, description="The networks that answer together; None: one alone.")

    @field_validator("preprocessing", mode="before")
    @classmethod
    def _of_its_modality(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        modality = members("modality").get(str(info.data.get("modality")))
        if modality is None or not issubclass(modality, ModalitySpec):
            raise ValueError(f"modality is {info.data.get('modality')}, which is not installed here")
        return modality.preprocessing.read_stored(value)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been checked against its manifest.

    Attributes:
        directory: where it lies.
        spec: everything but the weights.
        written_by: version of graft that wrote it.
        members: bundles of the further networks of an ensemble, in the order of `spec.ensemble`.
    """

    directory: Path
    spec: BundleSpec
    written_by: str
    members: "tuple[Bundle, ...]" = ()

    def build(self) -> Network:
        """The network with its weights, of an ensemble the first; CPU, eval mode. Needs no weights package.

        Raises:
            ArtifactError: the architecture is unknown here, or the weights do not fit it.
        """
        try:
            with machine_errors(self.directory / WEIGHTS, is_ours=True):
                network = _build(self.spec)
                load_model(network, self.directory / WEIGHTS, strict=True)
        except SpecError as error:
            raise ArtifactError(f"bundle {self.directory} cannot be built: {error}") from error
        except (RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            misfit = f"{WEIGHTS} of bundle {self.directory} does not fit {self.spec.architecture}"
            raise ArtifactError(f"{misfit} ({reason}); export it again") from error
        return network.eval()


@dataclass(frozen=True)
class MemberBundle:
    """A further network of an ensemble, to be written.

    Attributes:
        name: letters, digits and underscores.
        share: how much its answers count.
        network: as `write_bundle` takes it.
        spec: as `write_bundle` takes it.
        extra: as `write_bundle` takes it.
    """

    name: str
    share: float
    network: Network
    spec: BundleSpec
    extra: Mapping[str, bytes]


def write_bundle(
    directory: Path,
    network: Network,
    spec: BundleSpec,
    extra: Mapping[str, bytes] | None = None,
    members: Iterable[MemberBundle] = (),
) -> None:
    """Write a bundle; it is there as a whole or not at all.

    Args:
        directory: must not exist yet.
        network: as `Bundle.build` will rebuild it: ``spec.architecture`` with the head of ``spec.strategy``.
        spec: everything but the weights; of an ensemble, `ensemble` without its members.
        extra: what is in the files that the modality needs beside them, by their names in the bundle.
        members: the further networks of an ensemble, one after the other.

    Raises:
        ArtifactError: `directory` exists.
        ResourceError: the disk is full.
    """
    if directory.exists():
        raise ArtifactError(f"bundle {directory} exists already; remove it or choose another directory")
    with new_directory(directory) as scratch:
        if spec.ensemble is not None:
            written = tuple(_write_member(scratch, one) for one in members)
            spec = spec.model_copy(update={"ensemble": spec.ensemble.model_copy(update={"members": written})})
        content = spec.model_dump(mode="json")
        if spec.ensemble is None:
            del content["ensemble"]
        with system_errors():
            save_model(network, str(scratch / WEIGHTS))
        write_json(scratch / TARGETS, {key: content.pop(key) for key in _IN_TARGETS})
        write_json(scratch / PREPROCESSING, content.pop("preprocessing"))
        for name, held in (extra or {}).items():
            (scratch / name).write_bytes(held)
        files = {name: _seal(scratch / name) for name in (*_PAYLOAD, *(extra or {}))}
        version = FORMAT if spec.ensemble is None else ENSEMBLE_FORMAT
        write_json(scratch / MANIFEST, {**content, "format": version, "graft": _version(), "files": files})


def _write_member(scratch: Path, member: MemberBundle) -> EnsembleMember:
    name = f"member-{member.name}"
    write_bundle(scratch / name, member.network, member.spec, member.extra)
    return EnsembleMember(directory=name, share=member.share, sha256=file_digest(scratch / name / MANIFEST))


def read_bundle(directory: Path) -> Bundle:
    """Open a bundle and check every file against the manifest. Keys that a newer graft added are ignored.

    Raises:
        ArtifactError: it is missing, incomplete, damaged, or of a newer format.
    """
    manifest = _read_manifest(directory)
    files = manifest.get("files")
    payload = _PAYLOAD_1 if manifest["format"] == 1 else _PAYLOAD
    if files is None and {"start", "adapter"} <= manifest.keys():
        told = f"{directory} is a meta-model, which learns tasks and answers none by itself"
        raise ArtifactError(f"{told}; name it in `strategy.init`, as `{{kind: meta, source: …}}`")
    if not isinstance(files, dict) or not set(payload) <= files.keys():
        raise ArtifactError(f"{MANIFEST} of bundle {directory} does not list {', '.join(payload)}; export it again")
    for name, seal in files.items():
        _check_seal(directory, name, seal)
    try:
        content = {**manifest, **_targets(directory, manifest["format"])}
        spec = BundleSpec.read_stored({**content, "preprocessing": _read_object(directory, PREPROCESSING)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(
            f"bundle {directory} cannot be understood ({where}: {first['msg']}); export it again"
        ) from error
    return Bundle(directory, spec, str(manifest.get("graft", "unknown")), _members(directory, spec))


def is_whole(directory: Path) -> bool:
    """Whether a bundle is there, with all its files as they were written."""
    try:
        read_bundle(directory)
    except ArtifactError:
        return False
    return True


def what_is_no_bundle(directory: Path) -> str:
    """Why a directory may not be replaced as a bundle, damaged or whole, as the end of a sentence; empty if it may.

    Raises:
        ResourceError: memory or file handles have run out, which says nothing of the directory.
    """
    try:
        manifest = _read_manifest(directory)
    except ArtifactError:
        return f"has no {MANIFEST} of a bundle"
    listed = manifest.get("files")
    ours = {MANIFEST, *(listed if isinstance(listed, dict) else ())}
    others = sorted(path.name for path in directory.iterdir() if path.name not in ours)
    return f"also holds {others[0]}" if others else ""


def _members(directory: Path, spec: BundleSpec) -> tuple[Bundle, ...]:
    """The bundles of an ensemble's further networks, checked as this one is."""
    found = []
    for one in spec.ensemble.members if spec.ensemble else ():
        place = directory / one.directory
        if not (place / MANIFEST).is_file() or file_digest(place / MANIFEST) != one.sha256:
            told = f"bundle {directory} has lost its member {one.directory}, or has another one in its place"
            raise ArtifactError(f"{told}; copy or export it again")
        found.append(read_bundle(place))
    return tuple(found)


_IN_TARGETS = ("task", "names", "facts", "num_outputs")


def _targets(directory: Path, version: int) -> dict[str, Any]:
    """What is predicted; format 1 knew classes only."""
    if version > 1:
        return _read_object(directory, TARGETS)
    names = read_json(directory / _LABELS_1)
    if not isinstance(names, list):
        raise _another_type(directory, _LABELS_1, names, "a list of names")
    return {"task": {"kind": "classification"}, "names": names, "num_outputs": len(names), "modality": "image"}


def _read_object(directory: Path, name: str) -> dict[str, Any]:
    found = read_json(directory / name)
    if not isinstance(found, dict):
        raise _another_type(directory, name, found, "an object")
    return found


def _another_type(directory: Path, name: str, found: Any, needed: str) -> ArtifactError:
    return ArtifactError(
        f"{name} of bundle {directory} holds a {type(found).__name__}, but must hold {needed}; export it again"
    )


def _build(spec: BundleSpec) -> Network:
    whole = build_backbone(spec.architecture, spec.preprocessing.size)
    backbone = edited(whole, spec.strategy.structure, spec.architecture)
    return Network(backbone, head_of(spec.strategy, backbone, spec.num_outputs))


def _read_manifest(directory: Path) -> dict[str, Any]:
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} is no bundle: it has no {MANIFEST}")
    manifest = read_json(directory / MANIFEST)
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if type(version) is not int or version < 1:
        raise ArtifactError(f"{MANIFEST} of {directory} states no bundle format; it is not a bundle, or it is damaged")
    if version > ENSEMBLE_FORMAT:
        raise ArtifactError(
            f"bundle {directory} has format {version}, but this graft reads up to {ENSEMBLE_FORMAT}; upgrade graft"
        )
    return dict(manifest)


def _seal(path: Path) -> dict[str, str | int]:
    return {"sha256": file_digest(path), "bytes": path.stat().st_size}


def _check_seal(directory: Path, name: str, seal: Any) -> None:
    remedy = "copy or export it again"
    path = directory / name
    if path.parent != directory:
        raise ArtifactError(
            f"{MANIFEST} of bundle {directory} lists `{name}`, but a bundle has no subdirectories; {remedy}"
        )
    if not path.is_file():
        raise ArtifactError(f"bundle {directory} lacks {name}; {remedy}")
    if (
        not isinstance(seal, dict)
        or seal.get("bytes") != path.stat().st_size
        or seal.get("sha256") != file_digest(path)
    ):
        raise ArtifactError(f"{name} of bundle {directory} is damaged: it is not the file that was written; {remedy}")


def _version() -> str:
    try:
        return importlib.metadata.version("graft")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"

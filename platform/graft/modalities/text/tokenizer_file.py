"""Where the tokenizer of a backbone comes from. No tokenizers library here: `graft plan` asks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors
from graft.models.weights.packaged_file import packaged_file

_MAX_FILE_BYTES = 256 * 1024**2


class TokenizerFile(Protocol):
    """What a ``tokenizer.json`` comes from."""

    def path(self) -> Path:
        """The file that it lies in; ArtifactError if it cannot be had. Nothing is read."""

    def content(self) -> bytes:
        """What is in the ``tokenizer.json``; ArtifactError if it cannot be had."""


@dataclass(frozen=True)
class PackagedTokenizer:
    """A file inside an installed distribution, found through its metadata; the package is never imported.

    Attributes:
        distribution: what pip calls it.
        file: path as the distribution records it, with forward slashes.
        install: what the user types to get it.
    """

    distribution: str
    file: str
    install: str

    def path(self) -> Path:
        return packaged_file(self.distribution, self.file, self.install)

    def content(self) -> bytes:
        return read_tokenizer(self.path())


@dataclass(frozen=True)
class LocalTokenizer:
    """A file of the user, or of a hub's cache.

    Attributes:
        file: absolute.
    """

    file: str

    def path(self) -> Path:
        path = Path(self.file)
        if not path.is_file():
            raise ArtifactError(f"tokenizer {path} does not exist; put it back, or name another backbone")
        return path

    def content(self) -> bytes:
        return read_tokenizer(self.path())


def read_tokenizer(path: Path) -> bytes:
    """The content of a tokenizer's file.

    Raises:
        ArtifactError: it cannot be read, or is too large to be one.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise ArtifactError(
                f"tokenizer {path} has {size / 1024**2:.0f} MiB, more than one can have; check the file"
            )
        with machine_errors(path):
            return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"tokenizer {path} cannot be read ({error.strerror or error}); check the file") from error

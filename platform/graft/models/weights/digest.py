"""A file of weights beside the digest that its source states for it. No torch here: looking at a file is cheap."""

import hashlib
import string
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors
from graft.core.storage import file_digest

_SHOWN = 12
_SHA256, _SHA1 = 64, 40


@dataclass(frozen=True)
class WeightFile:
    """A file of weights.

    Attributes:
        path: of the file.
        stated: how its digest begins, in hex, as its source states it: sha256, or 40 digits of git's SHA-1; empty if
            the source states none.
    """

    path: Path
    stated: str = ""

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    def found(self) -> str:
        """The digest of what is in it, of the kind that is stated; sha256 if none is. Reads the whole file."""
        with machine_errors(self.path):
            return _git_digest(self.path) if len(self.stated) == _SHA1 else file_digest(self.path)

    def problem(self, found: str | None = None) -> str | None:
        """Why it is not the file that is meant, as one sentence; None if it is, or if nobody has stated a digest.

        Args:
            found: its digest, where that is known already.
        """
        if not self.stated:
            return None
        found = found or self.found()
        if found.startswith(self.stated):
            return None
        kind = "git digest" if len(self.stated) == _SHA1 else "sha256"
        return f"{self.path.name} has {kind} {found[:_SHOWN]}…, but must have {self.stated[:_SHOWN]}…"


def require_meant(files: tuple[WeightFile, ...], remedy: str) -> None:
    """Read every file, and compare it with what its source states.

    Args:
        files: of one set of weights.
        remedy: what the user does if one is another.

    Raises:
        ArtifactError: one is another file than the one that is meant.
    """
    for file in files:
        if problem := file.problem():
            raise ArtifactError(f"{problem}; {remedy}")


def file_of_user(path: Path) -> WeightFile:
    """A file of the user, with the digest in the file beside it that `sha256sum FILE > FILE.sha256` writes, if any.

    Raises:
        ArtifactError: the file beside it holds no digest.
    """
    beside = path.with_name(f"{path.name}.sha256")
    if not beside.is_file():
        return WeightFile(path)
    words = beside.read_text(encoding="utf-8", errors="replace").split()
    stated = words[0].lower() if words else ""
    if len(stated) != _SHA256 or not _is_hex(stated):
        raise ArtifactError(f"{beside} holds no sha256; write it anew: sha256sum {path.name} > {beside.name}")
    return WeightFile(path, stated)


def file_of_hub(path: Path) -> WeightFile:
    """A file in the cache of the Hugging Face hub: it is a link to a file that is named by its digest."""
    stated = path.resolve().name
    return WeightFile(path, stated if len(stated) in (_SHA256, _SHA1) and _is_hex(stated) else "")


def _is_hex(text: str) -> bool:
    return set(text) <= set(string.hexdigits)


def _git_digest(path: Path) -> str:
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()

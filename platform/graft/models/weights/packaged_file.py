"""A file that another installed package brings, found through its metadata; the package is never imported."""

import importlib.metadata
from pathlib import Path

from graft.core.errors import ArtifactError


def packaged_file(distribution: str, file: str, install: str) -> Path:
    """Where it lies.

    Args:
        distribution: what pip calls it.
        file: path as the distribution records it, with forward slashes.
        install: what the user types to get it.

    Raises:
        ArtifactError: the package is not installed, or has no such file.
    """
    try:
        found = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ArtifactError(f"package {distribution} is not installed; {install}") from None
    path = Path(str(found.locate_file(file)))
    if not path.is_file():
        raise ArtifactError(f"package {distribution} {found.version} has no file {file}; {install}")
    return path

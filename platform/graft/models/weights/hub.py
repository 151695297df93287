"""The cache of the Hugging Face hub: looked into without a network, filled with one."""

from pathlib import Path

from graft.core.errors import ArtifactError
from graft.models.weights.digest import WeightFile, file_of_hub


def kept(repository: str, names: tuple[str, ...], revision: str | None = None) -> WeightFile | None:
    """The first of some files of a repository that an earlier `fetch` has left in the cache; None if there is none.

    Args:
        repository: ``owner/name``.
        names: of the file, the best first.
        revision: of the repository; None is the newest that was fetched.
    """
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        try:
            found = try_to_load_from_cache(repository, name, revision=revision)
        except ValueError:  # no name that a repository can have
            return None
        if isinstance(found, str):
            return file_of_hub(Path(found))
    return None


def fetched(repository: str, names: tuple[str, ...], revision: str | None = None) -> Path:
    """Where the first of some files lies that the repository has, downloaded anew.

    Args:
        repository: ``owner/name``.
        names: of the file, the best first.
        revision: of the repository; None is its newest.

    Raises:
        ArtifactError: the repository has none of them. Other errors are those of the hub's client.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in names:
        try:
            return Path(hf_hub_download(repository, name, revision=revision, force_download=True))
        except LocalEntryNotFoundError:  # the hub cannot be reached: that says nothing of the file
            raise
        except EntryNotFoundError:
            continue
    raise ArtifactError(f"`{repository}` has no {' and no '.join(names)} on the hub; choose another backbone")

"""Sets of the hub, which the library `datasets` fetches, or has fetched before; only its Arrow files are used."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from graft.core.errors import DataError, ResourceError
from graft.data.hub.saved import SavedPart

_UNREACHABLE = ("ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectError", "ConnectTimeout")


def fetched_parts(name: str, config: str | None, revision: str | None) -> tuple[SavedPart, ...]:
    """The splits of a set of the hub, on this machine.

    Raises:
        DataError: there is no such set, or the library is not installed.
        ResourceError: the hub cannot be reached, and the set was not fetched before.
    """
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"data.name is {name}, which the library datasets fetches, but it is not installed; pip install "
            "'graft[hub]', or name a directory in data.path"
        ) from error
    datasets.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(name, config, revision=revision)
    except Exception as error:  # the library, and what it is built on, raise dozens of unrelated types
        raise _failed(name, error) from error
    return tuple(SavedPart(str(split), _files(name, part)) for split, part in _by_split(found).items())


def _by_split(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {"": found}


def _files(name: str, part: Any) -> tuple[Path, ...]:
    files = tuple(Path(one["filename"]) for one in part.cache_files)
    if not files:
        raise DataError(f"data.name is {name}, of which no file lies on this machine; save it, and name data.path")
    return files


def _failed(name: str, error: Exception) -> DataError | ResourceError:
    told = " ".join(str(error).split())[:160]
    kinds = {kind.__name__ for kind in type(error).__mro__}
    is_offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    if kinds & set(_UNREACHABLE) or is_offline:
        return ResourceError(
            f"data.name is {name}, but the hub cannot be reached from here; where it can, run `datasets.load_dataset"
            f"('{name}').save_to_disk('DIR')`, copy DIR, and write data.path: DIR in place of data.name"
        )
    return DataError(
        f"data.name is {name}, which the hub does not give ({type(error).__name__}: {told}); check the name, "
        "data.config and, where a set is not open to all, HF_TOKEN"
    )

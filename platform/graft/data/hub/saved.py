"""What `datasets` has saved on a disk: Arrow streams, and beside them JSON that names them. Read without the library.

``Dataset.save_to_disk`` leaves ``state.json``, ``dataset_info.json`` and ``data-*.arrow``; ``DatasetDict.save_to_disk``
a ``dataset_dict.json`` with the names of the splits, each of which is a directory of the first kind. What the library
knows of the columns (names of classes, which hold images) is in the metadata of each file's schema.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.data.folders.paths import require_directory
from graft.data.read import Unreadable, read_file

STATE, PARTS = "state.json", "dataset_dict.json"
_FEATURES = b"huggingface"
_MOST_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class SavedPart:
    """One split of a saved set.

    Attributes:
        name: of the split; empty if the set has none.
        files: Arrow streams, in their order.
    """

    name: str
    files: tuple[Path, ...]


def is_of_a_set(path: str) -> bool:
    """Whether a file of a directory belongs to what the library saves there."""
    name = path.rpartition("/")[2]
    return path.count("/") <= 1 and (name in (STATE, PARTS) or name.endswith(".arrow"))


def is_saved(path: Path) -> bool:
    """Whether a directory is what the library saves."""
    return (path / STATE).is_file() or (path / PARTS).is_file()


def saved_parts(path: Path) -> tuple[SavedPart, ...]:
    """The splits of a saved set.

    Raises:
        DataError: the directory is none, or lacks a file.
    """
    root = require_directory(path)
    if (root / STATE).is_file():
        return (SavedPart("", _files(root)),)
    if not (root / PARTS).is_file():
        raise DataError(
            f"{root} has no {STATE} and no {PARTS}, but must be what `save_to_disk` of the library datasets leaves; "
            "name its directory"
        )
    names = _plain_names(_json(root / PARTS).get("splits"))
    if not names:
        raise DataError(f"{root / PARTS} names no splits, but must, as in `splits: [train, test]`; save the set anew")
    return tuple(SavedPart(name, _files(root / name)) for name in names)


def features_of(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    """What the library knows of the columns of a file, by the metadata of its schema; nothing if there is none."""
    try:
        found = json.loads((metadata or {}).get(_FEATURES, b"{}"))
        features = found.get("info", {}).get("features", {})
    except (ValueError, AttributeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def label_names_of(feature: Any) -> Sequence[str] | None:
    """The names of the numbers in a column, or in its lists; None if it holds no classes."""
    if not isinstance(feature, dict):
        return None
    inside = feature.get("feature")
    found = inside if isinstance(inside, dict) else feature
    names = found.get("names")
    if found.get("_type") != "ClassLabel" or not isinstance(names, list):
        return None
    return [str(name) for name in names]


def _files(directory: Path) -> tuple[Path, ...]:
    state = _json(directory / STATE)
    named: Any = state.get("_data_files")
    listed: list[Any] = named if isinstance(named, list) else []
    found = [one.get("filename") if isinstance(one, dict) else one for one in listed]
    names = _plain_names(found)
    if not names:
        raise DataError(f"{directory / STATE} names no files beside it, but must; save the set anew")
    files = tuple(directory / name for name in names)
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise DataError(f"{missing} is not there, but {STATE} names it; copy the whole directory")
    if state.get("_indices_files"):
        raise DataError(f"{directory} was saved with a selection of its rows; save `dataset.flatten_indices()` instead")
    return files


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(read_file(path, _MOST_BYTES))
    except Unreadable as error:
        raise DataError(f"{path} {error}; copy the whole directory") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({type(error).__name__}); save the set anew") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is a {type(found).__name__}, but must be an object; save the set anew")
    return found


def _plain_names(names: Any) -> list[str]:
    """Names of what lies in the directory itself; none if one of them is a path that leads elsewhere."""
    if not isinstance(names, list):
        return []
    plain = [name for name in names if isinstance(name, str) and name not in ("", ".", "..")]
    return plain if len(plain) == len(names) and not any("/" in name or "\0" in name for name in plain) else []

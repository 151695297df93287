"""The files of a text encoder's weights: in a folder of the user, or in the cache of the hub."""

from collections.abc import Callable
from pathlib import Path

from graft.core.errors import ArtifactError
from graft.core.storage import read_json
from graft.modalities.text.backbones.configs import folder_of, is_configuration, is_hub_name
from graft.models.weights.digest import WeightFile, file_of_hub, file_of_user
from graft.models.weights.hub import fetched, kept

TOKENIZER = "tokenizer.json"
CARD = "README.md"
_CONFIG, _INDEX = "config.json", "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"
_WEIGHTS = ("model.safetensors", _INDEX, PICKLED)
"""The best first: what is pickled is read with nothing but tensors allowed in it."""


def weight_files(architecture: str) -> tuple[WeightFile, ...]:
    """The files, an index before its parts; empty if they are those of a name on the hub that was not fetched.

    Args:
        architecture: a folder, or a name on the hub.

    Raises:
        ArtifactError: there is no such folder, or it lacks a file.
    """
    if is_configuration(architecture):
        raise ArtifactError("a configuration has no weights; name a folder or a backbone on the hub")
    if not is_hub_name(architecture):
        folder = folder_of(architecture, ())
        return _listed(folder, _in_folder(folder), file_of_user)
    found = kept(architecture, _WEIGHTS)
    return () if found is None else _listed(found.path.parent, found.path.name, file_of_hub)


def fetch(architecture: str) -> None:
    """Download a name of the hub: configuration, tokenizer, weights, and the card that states the licence.

    Raises:
        ArtifactError: it is none, or lacks a file that graft needs. Other errors are those of the hub's client.
    """
    if not is_hub_name(architecture):
        raise ArtifactError(f"`{architecture}` is a folder of your own, not a name on the hub; copy its files there")
    fetched(architecture, (_CONFIG,))
    fetched(architecture, (TOKENIZER,))
    path = fetched(architecture, _WEIGHTS)
    for part in _parts(path):
        fetched(architecture, (part,))
    fetched(architecture, (CARD, _CONFIG))


def licence_of(folder: Path) -> str | None:
    """The licence that the card in a folder states (``license: apache-2.0`` between lines of dashes), if any."""
    card = folder / CARD
    if not card.is_file():
        return None
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if key == "---":
            return None
        if key == "license" and colon:
            return value.strip().strip("'\"") or None
    return None


def _in_folder(folder: Path) -> str:
    found = next((name for name in _WEIGHTS if (folder / name).is_file()), None)
    if found is None:
        raise ArtifactError(
            f"folder {folder} has no {_WEIGHTS[0]} and no {PICKLED}; save the weights there: "
            "network.save_pretrained(FOLDER)"
        )
    return found


def _listed(folder: Path, name: str, file_of: Callable[[Path], WeightFile]) -> tuple[WeightFile, ...]:
    paths = [folder / name, *(folder / part for part in _parts(folder / name))]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise ArtifactError(f"folder {folder} has no {missing[0]}, a part of the weights; fetch it anew")
    return tuple(file_of(path) for path in paths)


def _parts(path: Path) -> tuple[str, ...]:
    """The files that an index lists; none if it is no index."""
    if path.name != _INDEX:
        return ()
    index = read_json(path)
    listed = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(part, str) for part in listed.values()):
        raise ArtifactError(f"{path} lists no files; fetch it anew")
    names = tuple(sorted(set(listed.values())))
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise ArtifactError(f"{path} lists `{outside[0]}`, which is outside of its folder; fetch it anew")
    return names

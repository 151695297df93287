"""What ``hf:`` is followed by, read: a folder, a name on the hub, or the configuration itself as JSON.

Only JSON is read here. Code that a folder brings (`auto_map`) is never run.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError
from graft.core.storage import canonical_json, read_json
from graft.modalities.text.backbones.families import FAMILIES, Family, unsupported
from graft.models.weights.hub import kept

_MAX_LAYERS = 512
# About who saved it, what for, and how it is run: nothing that decides what the network computes.
_NOISE = (
    "architectures",
    "attn_implementation",
    "auto_map",
    "dtype",
    "experts_implementation",
    "finetuning_task",
    "id2label",
    "label2id",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "problem_type",
    "return_dict",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "use_cache",
    "use_return_dict",
)


def is_configuration(architecture: str) -> bool:
    """Whether it is the configuration itself, not a place that holds one."""
    return architecture.startswith("{")


def fields_of(architecture: str) -> dict[str, Any]:
    """The fields of a configuration, without those that decide nothing.

    Args:
        architecture: a folder, a name on the hub, or JSON.

    Raises:
        ArtifactError: it cannot be had, or is none.
    """
    if is_configuration(architecture):
        try:
            raw = json.loads(architecture)
        except (ValueError, RecursionError) as error:
            raise ArtifactError(f"configuration {architecture[:60]}… is no JSON ({error})") from error
    else:
        raw = read_json(folder_of(architecture, ("config.json",)) / "config.json")
    if not isinstance(raw, dict):
        raise ArtifactError(f"config.json of `{architecture[:200]}` is a {type(raw).__name__}, but must be a mapping")
    return {name: value for name, value in raw.items() if name not in _NOISE and not name.startswith("_")}


def problem_of(fields: Mapping[str, Any]) -> str | None:
    """Why a network of this configuration cannot be used, to follow its name; None if it can."""
    problem = unsupported(fields)
    if problem is not None:
        return problem
    try:
        config = config_of(fields)
    except ArtifactError as error:
        return str(error)
    layers = config.num_hidden_layers
    if not 1 <= layers <= _MAX_LAYERS:
        return f"has {layers} layers, but must have 1 to {_MAX_LAYERS}"
    return None


def config_of(fields: Mapping[str, Any]) -> Any:
    """The configuration as transformers has it.

    Raises:
        ArtifactError: a field has a value that the family does not take.
    """
    from transformers import CONFIG_MAPPING

    try:
        config = CONFIG_MAPPING[str(fields["model_type"])].from_dict(dict(fields))
    except Exception as error:  # each family checks in its own way
        raise ArtifactError(f"has a config.json that its family does not take ({one_line(error)})") from error
    return config


def architecture_of(config: Any) -> str:
    """The configuration as one line of JSON, enough to build the network again wherever it is."""
    fields = {name: value for name, value in config.to_diff_dict().items() if name not in _NOISE}
    return canonical_json(fields)


def family_of(config: Any) -> Family:
    """Where a network of this configuration has its parts."""
    return FAMILIES[config.model_type]


def max_tokens_of(config: Any) -> int:
    """The most positions that a network has for tokens."""
    positions = int(config.max_position_embeddings)
    # fairseq counts positions from behind the padding token's number.
    return positions - (1 + int(config.pad_token_id or 0) if family_of(config).offset else 0)


def folder_of(architecture: str, files: tuple[str, ...]) -> Path:
    """The folder that holds these files; those of a name on the hub are where `graft zoo pull` has put them.

    Raises:
        ArtifactError: there is no such folder or name, or it lacks a file.
    """
    path = Path(os.path.expanduser(architecture))
    if path.is_dir():
        missing = [name for name in files if not (path / name).is_file()]
        if missing:
            raise ArtifactError(f"folder {path} has no {missing[0]}; name one that `save_pretrained` has written")
        return path.absolute()
    if path.exists():
        raise ArtifactError(f"{path} is a file, but must be a folder that `save_pretrained` has written")
    if _looks_like_path(architecture):
        raise ArtifactError(f"folder {path} does not exist; check the path")
    found = [kept(architecture, (name,)) for name in files]
    if None in found:
        raise ArtifactError(
            f"`{architecture}` is no folder here, and {files[found.index(None)]} of that name was not fetched from the "
            f"hub; fetch it with a network: graft zoo pull hf:{architecture}, or name a folder that `save_pretrained` "
            "has written"
        )
    return next(file.path.parent for file in found if file is not None)


def is_hub_name(architecture: str) -> bool:
    """Whether it can only be a name on the hub: no configuration, and no folder."""
    is_here = is_configuration(architecture) or os.path.exists(os.path.expanduser(architecture))
    return not is_here and not _looks_like_path(architecture)


def one_line(error: BaseException) -> str:
    """The start of an error's message, on one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def _looks_like_path(architecture: str) -> bool:
    return architecture.startswith(("/", "~", ".")) or architecture.count("/") > 1 or "\\" in architecture

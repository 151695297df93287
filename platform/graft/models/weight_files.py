"""Reads a file of weights. Only tensors come out, and no code of the file is run."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from graft.core.errors import ArtifactError, ResourceError
from graft.core.passing_errors import machine_errors
from graft.models.weights.header import file_problem

_WRAPPERS = ("state_dict", "model_state_dict", "model")
# Of DataParallel and AveragedModel, of torch.compile, and of what people call a network that they train.
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_COUNT_OF_AVERAGED = "n_averaged"
_NAMED = 3


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors``, ``.pt``, ``.pth`` or ``.bin`` file by name, on the CPU.

    A checkpoint that keeps them under ``state_dict`` or ``model``, or holds one state dict beside other things, is
    unwrapped, and prefixes that all names share (as DataParallel and torch.compile leave them) are dropped.

    Raises:
        ArtifactError: the file is missing, damaged, of another format, or holds something other than tensors.
        ResourceError: it cannot be read at the moment, for lack of memory or permission, say.
    """
    if problem := file_problem(path):
        raise ArtifactError(problem)
    try:
        with machine_errors(path, is_ours=True), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch wonders at protocols of pickle: what it refuses is said below
            content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (ArtifactError, ResourceError):
        raise
    except pickle.UnpicklingError as error:
        raise ArtifactError(
            f"weights file {path} is damaged or holds more than tensors, which graft never unpickles; "
            "save the state dict as .safetensors"
        ) from error
    except Exception as error:  # on foreign bytes the parsers also raise IndexError, KeyError, struct.error, …
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"weights file {path} is damaged or of another format ({first_line})") from error
    return _without_prefix(_tensors(content, path))


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if isinstance(content, Mapping):
        inner = [name for name, value in content.items() if _is_state_dict(value)]
        if len(inner) > 1:
            named = ", ".join(f"`{name}`" for name in inner[:_NAMED])
            told = f"holds {len(inner)} state dicts ({named}), but must hold one; save the one you mean"
            raise ArtifactError(f"weights file {path} {told}")
        content = content[inner[0]] if inner else content
    if not isinstance(content, Mapping) or not content:
        raise ArtifactError(f"weights file {path} holds no state dict; save the network's `state_dict()`")
    for name, value in content.items():
        if not isinstance(value, Tensor) or not isinstance(name, str):
            what = type(value).__name__
            raise ArtifactError(
                f"weights file {path} holds {what} as `{name}`, but must hold tensors by their names; save the "
                "network's `state_dict()`"
            )
    return dict(content)


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(one, Tensor) for one in value.values())


def _without_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    named = {name: value for name, value in weights.items() if name != _COUNT_OF_AVERAGED}
    shared = next((prefix for prefix in _PREFIXES if named and all(name.startswith(prefix) for name in named)), None)
    if shared is None:
        return weights
    return _without_prefix({name.removeprefix(shared): value for name, value in named.items()})

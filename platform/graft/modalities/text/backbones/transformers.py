"""Text encoders of transformers as Backbones (github.com/huggingface/transformers).

An architecture is a folder that `save_pretrained` has written (``hf:/path/to/folder``), a name on the hub
(``hf:sentence-transformers/all-MiniLM-L6-v2``), or, in a bundle, the configuration itself as JSON.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError, ResourceError
from graft.core.passing_errors import machine_errors
from graft.core.storage import text_digest
from graft.modalities.text.backbones.configs import (
    architecture_of,
    config_of,
    family_of,
    fields_of,
    folder_of,
    is_configuration,
    is_hub_name,
    max_tokens_of,
    one_line,
    problem_of,
)
from graft.modalities.text.backbones.split import TextBackbone
from graft.modalities.text.backbones.weights import PICKLED, TOKENIZER, fetch, licence_of, weight_files
from graft.modalities.text.info import NAMES, TextInput
from graft.modalities.text.tokenizer import digest_of, tokenizer_of
from graft.modalities.text.tokenizer_file import LocalTokenizer, read_tokenizer
from graft.models.info import BackboneInfo
from graft.models.libraries import count_params
from graft.models.weight_files import read_weights
from graft.models.weights.digest import WeightFile


class TransformersLibrary:
    """Encoders whose family is one of `FAMILIES`."""

    def problem(self, architecture: str) -> str | None:
        """Why the architecture cannot be used, as one sentence; None if it can."""
        try:
            fields = fields_of(architecture)
            problem = problem_of(fields)
            if problem is None and not is_configuration(architecture):
                _check_tokenizer(_tokenizer_file(architecture), config_of(fields))
        except ArtifactError as error:
            return str(error)
        return problem and f"`{_short(architecture)}` {problem}"

    def create(self, architecture: str) -> nn.Module:
        """The library's own network, float32, random weights; its forward gives the states of all tokens."""
        return _network(config_of(fields_of(architecture)))

    def wrap(self, network: nn.Module, size: int | None = None) -> TextBackbone:
        """The same network as a Backbone; takes the network's modules over, so use it no more.

        Args:
            network: from `create`.
            size: most tokens of a text; any will do, because longer texts are cut at what the network has.
        """
        config: Any = network.config
        return TextBackbone(network, family_of(config), config.hidden_size)

    def size_problem(self, architecture: str, size: int) -> str | None:
        """None: longer texts are cut at what the network has positions for."""
        return None

    def describe(self, architecture: str) -> BackboneInfo:
        """What is known about it, without its weights and without their memory."""
        config = config_of(fields_of(architecture))
        with torch.device("meta"):
            backbone = self.wrap(_network(config))
        return BackboneInfo(
            name=f"hf:{architecture}",
            architecture=f"hf/{architecture_of(config)}",
            modality="text",
            num_blocks=len(backbone.blocks),
            num_features=backbone.num_features,
            num_params=count_params(backbone),
            input=_input(architecture, config),
            licence=None if is_configuration(architecture) else licence_of(folder_of(architecture, ("config.json",))),
        )

    def sample(self, architecture: str, size: int | None = None) -> Mapping[str, Tensor]:
        """A text of so many tokens, all there; no longer than the network can take."""
        longest = max_tokens_of(config_of(fields_of(architecture)))
        shape = (1, min(size or longest, longest))
        return {"input_ids": torch.zeros(shape, dtype=torch.int64), "attention_mask": torch.ones(shape)}

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        """The files of the weights in a folder, or in the hub's cache."""
        return weight_files(architecture)

    def read(self, architecture: str) -> dict[str, Tensor]:
        """The pretrained weights from those files, under the names `create` uses.

        Raises:
            ArtifactError: they cannot be had, are damaged, or are not those of the configuration.
        """
        path = self.files(architecture)[0].path
        if path.name == PICKLED:
            read_weights(path)  # says in a line what is wrong with it, and runs nothing of it
        config = config_of(fields_of(architecture))
        state: dict[str, Tensor] = _loaded(path.parent, config, path.name != PICKLED).state_dict()
        return state

    def fetch(self, architecture: str) -> None:
        """Download a name from the hub."""
        fetch(architecture)

    def version(self, architecture: str) -> str:
        """Changes when other weights have come under the same name, as far as a glance tells; nothing is read."""
        if is_configuration(architecture):
            return ""
        if is_hub_name(architecture):
            return " ".join(file.stated for file in weight_files(architecture))
        folder = Path(os.path.expanduser(architecture))
        entries = [
            (path.name, path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(folder.iterdir())
            if path.name.startswith(("model", "pytorch_model")) or path.name in (TOKENIZER, "config.json")
        ]
        return text_digest(str(entries))


def encoder_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a bare encoder: without pooler, and without buffers that older versions have stored."""
    dropped = ("pooler.", "embeddings.position_ids", "embeddings.token_type_ids")
    return {name: tensor for name, tensor in state.items() if not name.startswith(dropped)}


def _network(config: Any) -> nn.Module:
    network: nn.Module = _auto_model().from_config(config, dtype=torch.float32, **_without_pooler(config))
    return network


def _loaded(folder: Path, config: Any, is_safe: bool) -> nn.Module:
    try:
        with machine_errors(folder, is_ours=True), _quiet(), torch.random.fork_rng(devices=[]):
            network, told = _auto_model().from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=is_safe,
                weights_only=True,
                **_without_pooler(config),
            )
    except ResourceError:
        raise
    except Exception as error:  # damaged files raise a dozen unrelated types
        raise ArtifactError(f"weights in {folder} cannot be loaded ({one_line(error)}); fetch them anew") from error
    missing = sorted(told["missing_keys"])
    if missing or told.get("mismatched_keys"):
        named = ", ".join(missing[:3]) or "other shapes"
        raise ArtifactError(
            f"weights in {folder} lack {len(missing)} tensors that config.json asks for ({named}); "
            "the two do not belong together, fetch both anew"
        )
    kept: nn.Module = network
    return kept


def _auto_model() -> Any:
    from transformers import AutoModel

    return AutoModel


def _without_pooler(config: Any) -> dict[str, bool]:
    return {"add_pooling_layer": False} if family_of(config).pools else {}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No table of unused keys, no progress bar: what matters is checked and told in one line."""
    import transformers

    logging: Any = transformers.utils.logging
    verbosity, shows_progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_progress:
            logging.enable_progress_bar()


def _input(architecture: str, config: Any) -> TextInput:
    file = None if is_configuration(architecture) else _tokenizer_file(architecture)
    uses_segments = family_of(config).segments and getattr(config, "type_vocab_size", 0) > 1
    return TextInput(
        tokenizer=None if file is None else LocalTokenizer(str(file)),
        digest="" if file is None else digest_of(read_tokenizer(file)),
        pad_token=int(config.pad_token_id or 0),
        names=NAMES if uses_segments else NAMES[:2],
        max_tokens=max_tokens_of(config),
        family=config.model_type,
    )


def _tokenizer_file(architecture: str) -> Path:
    return folder_of(architecture, (TOKENIZER,)) / TOKENIZER


def _check_tokenizer(file: Path, config: Any) -> None:
    vocabulary = tokenizer_of(read_tokenizer(file), str(file)).vocabulary
    if vocabulary > config.vocab_size:
        raise ArtifactError(
            f"tokenizer {file} has {vocabulary} tokens, but the network has embeddings for {config.vocab_size}; "
            "they do not belong together, put the network's own tokenizer.json there"
        )


def _short(architecture: str) -> str:
    return f"configuration {architecture[:40]}…" if is_configuration(architecture) else architecture

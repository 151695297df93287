"""Bags of words: which tokens and pairs of tokens a text has, and how often, for a linear head on top.

``bag:minilm_l6`` has MiniLM's tokenizer and nothing else of it: no weights, and nothing that trains. What it tells is
unlike what an encoder tells, so the two err on other texts. Inverse document frequencies are of the training rows, so
they belong to the head: `head: {kind: ridge, scale: idf}`.

No torch here: a default job names a bag, and is planned without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import canonical_json
from graft.modalities.text.backbones.configs import is_configuration
from graft.modalities.text.info import NAMES, TextInput
from graft.models.info import BackboneInfo
from graft.models.load import describe_backbone
from graft.models.weights.digest import WeightFile
from graft.models.zoo import find_entry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graft.models.backbone import Backbone

WIDTH = 2**14
"""Columns: docs/zoo.md says why no more."""
MAX_TOKENS = 8192
"""A bag has no positions, so this is the most that `max_tokens` can be."""
_WIDEST = 2**18


@dataclass(frozen=True)
class BagConfig:
    """What decides a bag.

    Attributes:
        width: of its features.
        pad_token: number of the token that fills up.
    """

    width: int
    pad_token: int


class BagLibrary:
    """Bags. An architecture is the name of a text encoder, or a configuration as JSON."""

    def problem(self, architecture: str) -> str | None:
        """Why the architecture cannot be used, as one sentence; None if it can."""
        try:
            _config(architecture)
        except (ArtifactError, SpecError) as error:
            return f"`bag:{architecture[:60]}`: {error}"
        return None

    def create(self, architecture: str) -> nn.Module:
        """The network; its forward gives features."""
        from graft.modalities.text.backbones.hashed import BagNetwork

        return BagNetwork(_config(architecture).width)

    def wrap(self, network: nn.Module, size: int | None = None) -> Backbone:
        """The same network as a Backbone; texts may have any number of tokens."""
        from graft.modalities.text.backbones.hashed import BagBackbone, BagNetwork

        assert isinstance(network, BagNetwork)
        return BagBackbone(network)

    def size_problem(self, architecture: str, size: int) -> str | None:
        """None: longer texts are cut."""
        return None

    def describe(self, architecture: str) -> BackboneInfo:
        """What is known about it."""
        config = _config(architecture)
        is_named = not is_configuration(architecture)
        return BackboneInfo(
            name=f"bag:{architecture}",
            architecture=f"bag/{canonical_json(asdict(config))}",
            modality="text",
            num_blocks=1,
            num_features=config.width,
            num_params=0,
            input=_input(architecture, config),
            licence=describe_backbone(architecture).licence if is_named else None,
            source_head=False,
        )

    def sample(self, architecture: str, size: int | None = None) -> Mapping[str, Tensor]:
        """A text of so many tokens, all there."""
        import torch

        shape = (1, min(size or MAX_TOKENS, MAX_TOKENS))
        return {"input_ids": torch.zeros(shape, dtype=torch.int64), "attention_mask": torch.ones(shape)}

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        """That of the encoder's tokenizer, which is held against its own digest whenever it is read."""
        tokenizer = _tokenized(architecture).tokenizer
        return () if tokenizer is None else (WeightFile(tokenizer.path()),)

    def version(self, architecture: str) -> str:
        """Changes when another tokenizer has come under the same name."""
        return f"1 {_tokenized(architecture).digest}"

    def read(self, architecture: str) -> dict[str, Tensor]:
        """Nothing: it has no weights."""
        return {}

    def fetch(self, architecture: str) -> None:
        """Fetch the encoder, with which the tokenizer comes."""
        find_entry(architecture).weights.fetch()


def _config(architecture: str) -> BagConfig:
    """Width and filling.

    Raises:
        SpecError: no such encoder.
        ArtifactError: it brings no tokenizer, or the configuration is none.
    """
    if is_configuration(architecture):
        return _read(architecture)
    return BagConfig(WIDTH, _tokenized(architecture).pad_token)


def _tokenized(architecture: str) -> TextInput:
    if is_configuration(architecture):
        raise ArtifactError("a configuration has no tokenizer; name a text encoder")
    info = describe_backbone(architecture)
    given: Any = info.input
    if not info.architecture.startswith("hf/") or not isinstance(given, TextInput):
        raise ArtifactError(f"{architecture} is no text encoder whose tokenizer could be taken; name one: minilm_l6")
    return given


def _read(configuration: str) -> BagConfig:
    told = f"configuration {configuration[:60]}… is none of a bag"
    try:
        config = BagConfig(**json.loads(configuration))
    except (ValueError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{told} ({error})") from error
    is_sound = all(type(value) is int and value >= 0 for value in asdict(config).values())
    if not is_sound or not 0 < config.width <= _WIDEST:
        raise ArtifactError(f"{told}; take another bundle")
    return config


def _input(architecture: str, config: BagConfig) -> TextInput:
    if is_configuration(architecture):
        return TextInput(None, "", config.pad_token, NAMES[:2], MAX_TOKENS, "bag")
    return replace(_tokenized(architecture), names=NAMES[:2], max_tokens=MAX_TOKENS, family="bag")

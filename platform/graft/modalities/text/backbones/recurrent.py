"""Recurrent layers over the token embeddings of a pretrained encoder: the small choice for texts.

``gru:minilm_l6`` has MiniLM's tokenizer and its word embeddings, and two layers in place of its six: an eighth of the
arithmetic, and no more than word embeddings of the pretraining. The layers start at values that a fixed seed draws, so
that the same name is the same network everywhere, as if they had been read from a file.

Gated recurrent unit: Cho et al., 2014 (arXiv:1406.1078); long short-term memory: Hochreiter and Schmidhuber, 1997; both
directions: Schuster and Paliwal, 1997.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import canonical_json
from graft.modalities.text.backbones.configs import config_of, fields_of, is_configuration
from graft.modalities.text.backbones.split import MaskedMean
from graft.modalities.text.info import NAMES, TextInput
from graft.models.backbone import Backbone, Masked
from graft.models.info import BackboneInfo
from graft.models.libraries import count_params
from graft.models.load import describe_backbone
from graft.models.weights.digest import WeightFile
from graft.models.zoo import find_entry

LAYERS = 2
_EMBEDDINGS = ("embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight")
_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}
_WIDEST, _DEEPEST = 8192, 64


@dataclass(frozen=True)
class RecurrentConfig:
    """What decides a recurrent network.

    Attributes:
        vocab_size: rows of its embeddings.
        width: of an embedding, and of what a layer gives: half of it from each direction.
        layers: recurrent layers, each over both directions.
        pad_token: number of the token that fills up.
        max_tokens: the most tokens of a text, which are those of the encoder that the embeddings come from.
    """

    vocab_size: int
    width: int
    layers: int
    pad_token: int
    max_tokens: int


class RecurrentLibrary:
    """Networks of one kind of cell. An architecture is the name of a text encoder, or a configuration as JSON.

    Args:
        cell: ``gru`` or ``lstm``.
    """

    def __init__(self, cell: str) -> None:
        self._cell = cell

    def problem(self, architecture: str) -> str | None:
        """Why the architecture cannot be used, as one sentence; None if it can."""
        try:
            _config(architecture)
        except (ArtifactError, SpecError) as error:
            return f"`{self._cell}:{architecture[:60]}`: {error}"
        return None

    def create(self, architecture: str) -> nn.Module:
        """The network, random weights; its forward gives pooled features."""
        return RecurrentNetwork(self._cell, _config(architecture))

    def wrap(self, network: nn.Module, size: int | None = None) -> Backbone:
        """The same network as a Backbone; texts may have any number of tokens."""
        assert isinstance(network, RecurrentNetwork)
        return RecurrentBackbone(network)

    def size_problem(self, architecture: str, size: int) -> str | None:
        """None: longer texts are cut."""
        return None

    def describe(self, architecture: str) -> BackboneInfo:
        """What is known about it, without its weights and without their memory."""
        config = _config(architecture)
        with torch.device("meta"):
            backbone = self.wrap(self.create(architecture))
        return BackboneInfo(
            name=f"{self._cell}:{architecture}",
            architecture=f"{self._cell}/{canonical_json(asdict(config))}",
            modality="text",
            num_blocks=config.layers,
            num_features=config.width,
            num_params=count_params(backbone),
            input=_input(self._cell, architecture, config),
            licence=None if is_configuration(architecture) else describe_backbone(architecture).licence,
            source_head=False,
        )

    def sample(self, architecture: str, size: int | None = None) -> Mapping[str, Tensor]:
        """A text of so many tokens, all there."""
        longest = _config(architecture).max_tokens
        shape = (1, min(size or longest, longest))
        return {"input_ids": torch.zeros(shape, dtype=torch.int64), "attention_mask": torch.ones(shape)}

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        """Those of the encoder that the embeddings come from."""
        source = find_entry(_source(architecture)).weights
        if problem := source.problem():
            raise ArtifactError(problem)
        return source.files()

    def version(self, architecture: str) -> str:
        """Changes when other weights have come under the same name."""
        return f"1 {find_entry(_source(architecture)).weights.version()}"

    def read(self, architecture: str) -> dict[str, Tensor]:
        """The encoder's word embeddings, and layers that a fixed seed draws."""
        weights = find_entry(_source(architecture)).weights.state_dict()
        found = next((weights[name] for name in _EMBEDDINGS if name in weights), None)
        if found is None:
            raise ArtifactError(f"weights of `{architecture}` hold no word embeddings; name another text encoder")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            state: dict[str, Tensor] = self.create(architecture).state_dict()
        return {**state, "embeddings.weight": found.float()}

    def fetch(self, architecture: str) -> None:
        """Fetch the encoder."""
        find_entry(_source(architecture)).weights.fetch()


class GruLibrary(RecurrentLibrary):
    """Gated recurrent units."""

    def __init__(self) -> None:
        super().__init__("gru")


class LstmLibrary(RecurrentLibrary):
    """Long short-term memory."""

    def __init__(self) -> None:
        super().__init__("lstm")


class RecurrentNetwork(nn.Module):
    """Embeddings, layers over both directions, the mean of the states.

    Args:
        cell: ``gru`` or ``lstm``.
        config: sizes.
    """

    def __init__(self, cell: str, config: RecurrentConfig) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(config.vocab_size, config.width)
        self.norm = nn.LayerNorm(config.width)
        self.layers = nn.ModuleList(RecurrentLayer(cell, config.width) for _ in range(config.layers))
        self.width = config.width

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Features [B, D] of tokens [B, L]."""
        hidden = Masked(self.norm(self.embeddings(input_ids)), attention_mask.bool())
        for layer in self.layers:
            hidden = layer(hidden)
        features: Tensor = MaskedMean()(hidden)
        return features


class RecurrentLayer(nn.Module):
    """One layer over both directions, added to what it takes, and normed: h + [ahead(h), back(h)].

    Args:
        cell: ``gru`` or ``lstm``.
        width: of states; even.
    """

    def __init__(self, cell: str, width: int) -> None:
        super().__init__()
        self.ahead = _CELLS[cell](width, width // 2, batch_first=True)
        self.back = _CELLS[cell](width, width // 2, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Masked) -> Masked:
        """States [B, L, D] of the same shape; those behind the end of a text are of no meaning."""
        states = hidden.states
        # Backward, a text begins at its own end: what fills it up comes last in both directions, and changes nothing.
        order = _reversed(hidden.mask)[..., None].expand_as(states)
        ahead, _ = self.ahead(states)
        back, _ = self.back(states.gather(1, order))
        back = back.gather(1, order[..., : back.shape[-1]])
        return Masked(self.norm(states + torch.cat([ahead, back], dim=2)), hidden.mask)


class RecurrentBackbone(Backbone):
    """A recurrent network as a Backbone.

    Args:
        network: its modules are taken over, so use it no more.
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        stem = EmbeddingStem(network.embeddings, network.norm)
        super().__init__(stem, network.layers, MaskedMean(), network.width)

    @property
    def is_sequential(self) -> bool:
        """A state for every token lies between two layers."""
        return True


class EmbeddingStem(nn.Module):
    """Embedded tokens, normed.

    Args:
        embeddings: a row for each token of the vocabulary.
        norm: of a row.
    """

    def __init__(self, embeddings: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.norm = norm

    def forward(self, batch: Mapping[str, Tensor]) -> Masked:
        """States of ``input_ids`` [B, L], and which of them hold something."""
        return Masked(self.norm(self.embeddings(batch["input_ids"])), batch["attention_mask"].bool())


def _reversed(mask: Tensor) -> Tensor:
    """int64 [B, L]: places of each text from its last token to its first, then those behind its end as they are."""
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    lengths = (mask * places).amax(dim=1, keepdim=True)
    return torch.where(places <= lengths, lengths - places, places - 1)


def _source(architecture: str) -> str:
    if is_configuration(architecture):
        raise ArtifactError("a configuration has no weights; name a text encoder")
    return architecture


def _config(architecture: str) -> RecurrentConfig:
    """The sizes of a network.

    Raises:
        SpecError: no such encoder.
        ArtifactError: it is none that embeddings can be taken from, or the configuration is none.
    """
    if is_configuration(architecture):
        return _read(architecture)
    info = describe_backbone(architecture)
    library, _, configuration = info.architecture.partition("/")
    if library != "hf":
        raise ArtifactError(f"{architecture} is no text encoder with word embeddings; name one, such as minilm_l6")
    given, text = config_of(fields_of(configuration)), info.input
    width = int(getattr(given, "embedding_size", given.hidden_size))
    if width % 2:
        raise ArtifactError(f"{architecture} has embeddings of width {width}, but each direction needs half of it")
    return RecurrentConfig(int(given.vocab_size), width, LAYERS, text.pad_token, text.max_tokens)


def _read(configuration: str) -> RecurrentConfig:
    try:
        config = RecurrentConfig(**json.loads(configuration))
    except (ValueError, TypeError, RecursionError) as error:
        raise ArtifactError(f"configuration {configuration[:60]}… is none of a recurrent network ({error})") from error
    values = asdict(config).values()
    is_sound = all(type(value) is int and value >= 0 for value in values)
    if not is_sound or not (0 < config.width <= _WIDEST and 0 < config.layers <= _DEEPEST and config.width % 2 == 0):
        raise ArtifactError(f"configuration {configuration[:60]}… is none of a recurrent network; take another bundle")
    return config


def _input(cell: str, architecture: str, config: RecurrentConfig) -> TextInput:
    if is_configuration(architecture):
        return TextInput(None, "", config.pad_token, NAMES[:2], config.max_tokens, cell)
    given: Any = describe_backbone(architecture).input
    found: TextInput = replace(given, names=NAMES[:2], family=cell)
    return found

"""What must be known of a text backbone to prepare texts for it. No torch, no transformers: `graft plan` asks."""

from dataclasses import dataclass
from typing import Any

from graft.modalities.text.tokenizer_file import TokenizerFile

_USUAL_TOKENS = 128
NAMES = ("input_ids", "attention_mask", "token_type_ids")
"""The tensors that a batch of texts may hold."""


@dataclass(frozen=True)
class TextInput:
    """What a text backbone takes: the part of `BackboneInfo` that is about texts.

    Attributes:
        tokenizer: its fast tokenizer; None where only the architecture is known, as in a bundle, which brings its own.
        digest: sha256 of the tokenizer's file, in hex; empty without one.
        pad_token: number of the token that fills up.
        names: tensors that the network takes, of `NAMES`.
        max_tokens: the most positions that it has.
        family: as transformers calls it, such as ``bert``.
    """

    tokenizer: TokenizerFile | None
    digest: str
    pad_token: int
    names: tuple[str, ...]
    max_tokens: int
    family: str

    @property
    def native_size(self) -> int:
        """The most tokens."""
        return self.max_tokens

    @property
    def counted_size(self) -> int:
        """Tokens of a text as most are: a network takes any number up to its most."""
        return min(self.max_tokens, _USUAL_TOKENS)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        told = {"digest": self.digest or None, "pad_token": self.pad_token, "max_tokens": self.max_tokens}
        return {"tokenizer": {**told, "inputs": list(self.names), "family": self.family}}

"""The network of the scripts for texts: MiniLM through transformers, as in their guides, and a linear head."""

import copy
import functools
from typing import Any

import numpy as np
from texts.recipes import Encoder
from throughput.candidates import MAX_TOKENS
from torch import Tensor, nn

PAD = 0


class TextClassifier(nn.Module):
    """Tokens [B, L], filled up with `PAD`, to logits [B, C]; a batch is as long as the longest of it."""

    def __init__(self, encoder: nn.Module, width: int, num_classes: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(width, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """The head on the mean state of each text."""
        mask = (tokens != PAD).long()
        longest = int(mask.sum(dim=1).max())
        tokens, mask = tokens[:, :longest], mask[:, :longest]
        states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        logits: Tensor = self.head((states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True))
        return logits


def network_of(cut: int, num_classes: int, keep: bool) -> tuple[TextClassifier, list[nn.Module]]:
    """The network, and its frozen modules: the embeddings and the first `cut` layers, if any is."""
    encoder, width = _kept() if keep else _fresh()
    network = TextClassifier(encoder, width, num_classes)
    frozen = [encoder.embeddings, *list(encoder.encoder.layer)[:cut]] if cut else []
    return network, frozen


def numbers(texts: list[str]) -> np.ndarray:
    """Tokens of texts, int64 [N, `MAX_TOKENS`], cut and filled up."""
    found = np.full((len(texts), MAX_TOKENS), PAD)
    for row, tokens in enumerate(Encoder(MAX_TOKENS).tokens(texts)):
        found[row, : len(tokens)] = tokens
    return found


def _fresh() -> tuple[Any, int]:
    made = Encoder(MAX_TOKENS)
    return made.network.train(), made.width


_read_once = functools.cache(_fresh)


def _kept() -> tuple[Any, int]:
    return copy.deepcopy(_read_once())

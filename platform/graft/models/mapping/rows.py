"""Rows of a table that are found by what they stand for: the embeddings of tokens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from graft.models.mapping.axes import IN, OUT
from graft.models.mapping.growth import grow

_TOKENS = re.compile(r"(word|tok|token)_embeddings?\.weight$|(^|\.)embed_tokens\.weight$")
# What tokenizers call the same special tokens.
_SPECIAL = {
    "<s>": "[CLS]",
    "</s>": "[SEP]",
    "<pad>": "[PAD]",
    "<unk>": "[UNK]",
    "<mask>": "[MASK]",
}
_BEGINS, _GOES_ON = "▁", "##"


@dataclass(frozen=True)
class RowsFound:
    """A table filled row by row.

    Attributes:
        table: of the target's shape.
        how: for people.
        share: of the rows that come from the source.
    """

    table: Tensor
    how: str
    share: float


@dataclass(frozen=True)
class TokenRows:
    """Fills the embeddings of one vocabulary from those of another.

    A row whose token the source does not have starts at the mean of the source's rows (Hewitt, "Initializing new word
    embeddings", 2021: its logits and its norm are then those of an average token).

    Attributes:
        theirs: the source's tokens, with their numbers.
        ours: the target's.
    """

    theirs: Mapping[str, int]
    ours: Mapping[str, int]

    @property
    def shared(self) -> int:
        """How many of the target's tokens the source has."""
        known = {_meaning(token, self.theirs) for token in self.theirs}
        return sum(_meaning(token, self.ours) in known for token in self.ours)

    def __call__(self, name: str, source: Tensor, target: Tensor) -> RowsFound | None:
        """The table of a target; None if it is no table of tokens, or if both vocabularies are one."""
        if not _TOKENS.search(name) or source.ndim != 2 or target.ndim != 2 or source.shape[1] > target.shape[1]:
            return None
        if self.theirs == self.ours and source.shape[0] == target.shape[0]:
            return None
        known = {_meaning(token, self.theirs): number for token, number in self.theirs.items()}
        pairs = [
            (number, found)
            for token, number in self.ours.items()
            if (found := known.get(_meaning(token, self.ours))) is not None and found < len(source)
        ]
        rows = source.float().mean(dim=0, keepdim=True).repeat(len(target), 1)
        mine, other = torch.tensor([one for one, _ in pairs]), torch.tensor([one for _, one in pairs])
        if len(pairs):
            rows[mine] = source[other].float()
        table = grow(rows, target.shape, (IN, OUT)).to(target.dtype)
        return RowsFound(table, f"{len(pairs)} of {len(target)} rows by token", len(pairs) / max(len(target), 1))


def _meaning(token: str, vocabulary: Mapping[str, int]) -> str:
    """A token in one spelling: ``▁`` before what begins a word, as SentencePiece has it."""
    if token in _SPECIAL:
        return _SPECIAL[token]
    if token.startswith("[") and token.endswith("]"):
        return token
    if token.startswith(_GOES_ON):
        return token.removeprefix(_GOES_ON)
    if token.startswith("Ġ"):
        return _BEGINS + token.removeprefix("Ġ")
    # WordPiece marks what goes on, all others what begins.
    is_wordpiece = "[CLS]" in vocabulary
    return token if token.startswith(_BEGINS) or not is_wordpiece else _BEGINS + token

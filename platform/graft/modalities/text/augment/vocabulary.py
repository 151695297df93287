"""Which tokens begin a word, which are special, and which one masks: read from the file of a tokenizer.

A tokenizer marks words in one of three ways: what goes on inside a word has a prefix (word pieces, ``##``), what begins
one has (SentencePiece, ``▁``; byte-level, ``Ġ``), or what ends one has a suffix (``</w>``). Where none of these is
found, every token is taken for a word.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor

from graft.modalities.text.augment.mask_tokens import mask_token_of

_BYTE_LEVEL_SPACE = "\u0120"
_SENTENCE_PIECE_SPACE = "\u2581"


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What must be known of a tokenizer's tokens to change texts by words.

    Attributes:
        starts: bool [V], tokens that begin a word.
        ends: bool [V], tokens that end one, so that the next begins another.
        special: bool [V], tokens that belong to no word, such as those around every text.
        mask_token: number of the token that masks; None if it has none.
        unit: whether words are told by marks of the tokenizer, or every token counts as one.
    """

    starts: Tensor
    ends: Tensor
    special: Tensor
    mask_token: int | None
    unit: Literal["word", "token"]

    def words(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Which word of its text each token belongs to, counted from 0; -1 for special tokens and padding.

        Args:
            ids: int64 [B, L].
            mask: bool [B, L], true where there is a token.

        Returns:
            int64 [B, L].
        """
        starts, ends, special = (one.to(ids.device)[ids] for one in (self.starts, self.ends, self.special))
        inside = mask & ~special
        # The first token of a text, and one behind a special token, begin a word whatever they look like.
        before = torch.nn.functional.pad(inside & ~ends, (1, 0))[:, :-1]
        begins = inside & (starts | ~before)
        return torch.where(inside, begins.cumsum(dim=1) - 1, -1)


@functools.lru_cache(maxsize=4)
def vocabulary_of(content: bytes) -> Vocabulary:
    """The vocabulary in the content of a ``tokenizer.json``, which has been read before."""
    told = json.loads(content)
    numbers: dict[str, int] = Tokenizer.from_buffer(content).get_vocab(with_added_tokens=True)
    size = max(numbers.values(), default=-1) + 1
    names = [""] * size
    for name, number in numbers.items():
        names[number] = name
    unknown = _unknown(told["model"], names)
    # What it does not know is a word all the same.
    specials = {one["id"] for one in told.get("added_tokens", ()) if one.get("special") and one["content"] != unknown}
    starts, ends, unit = _marks(told, names)
    return Vocabulary(
        starts=torch.tensor(starts, dtype=torch.bool),
        ends=torch.tensor(ends, dtype=torch.bool),
        special=torch.tensor([number in specials for number in range(size)], dtype=torch.bool),
        mask_token=mask_token_of(told),
        unit=unit,
    )


def _unknown(model: Mapping[str, Any], names: list[str]) -> str | None:
    """The token of what the tokenizer does not know; by name, or, in SentencePiece's, by number."""
    number = model.get("unk_id")
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else model.get("unk_token")


def _marks(told: Mapping[str, Any], names: list[str]) -> tuple[list[bool], list[bool], Literal["word", "token"]]:
    """Whether each token begins a word, whether it ends one, and what that was told by."""
    model, nothing = told["model"], [False] * len(names)
    if prefix := _continuing_prefix(model):
        return [not name.startswith(prefix) for name in names], nothing, "word"
    if suffix := model.get("end_of_word_suffix"):
        return nothing, [name.endswith(suffix) for name in names], "word"
    marks = _beginnings(told)
    if marks and any(name.startswith(marks) for name in names):
        return [name.startswith(marks) for name in names], nothing, "word"
    return [True] * len(names), nothing, "token"


def _continuing_prefix(model: Mapping[str, Any]) -> str:
    usual = "##" if model.get("type") == "WordPiece" else ""
    return str(model.get("continuing_subword_prefix") or usual)


def _beginnings(told: Mapping[str, Any]) -> tuple[str, ...]:
    parts = [*_parts(told.get("pre_tokenizer")), *_parts(told.get("decoder"))]
    marks = [str(one.get("replacement", _SENTENCE_PIECE_SPACE)) for one in parts if one.get("type") == "Metaspace"]
    marks += [_BYTE_LEVEL_SPACE for one in parts if one.get("type") == "ByteLevel"]
    return tuple(dict.fromkeys(marks))


def _parts(step: Any) -> Iterator[Mapping[str, Any]]:
    """A step of a tokenizer, and the steps within it."""
    if isinstance(step, Mapping):
        yield step
        for key in ("pretokenizers", "decoders"):
            for inner in step.get(key, ()):
                yield from _parts(inner)

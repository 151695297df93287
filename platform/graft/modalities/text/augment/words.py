"""Texts as words, and what changes some of them: pure functions of tokens and random numbers, on any device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from graft.data.augmentation.draws import Draws


@dataclass(frozen=True)
class Words:
    """Texts of a batch.

    Attributes:
        ids: int64 [B, L], tokens.
        mask: bool [B, L], true where there is one.
        word: int64 [B, L], which word of its text it belongs to; -1 outside of words.
        counts: int64 [B], words of each text, at least one.
        mask_token: number of the tokenizer's token that masks; None if it has none.
    """

    ids: Tensor
    mask: Tensor
    word: Tensor
    counts: Tensor
    mask_token: int | None = None

    def per_word(self, draws: Draws, purpose: str) -> Tensor:
        """A random number in [0, 1) for each word, float64 [B, W]; 2 behind the last word of a text."""
        most = int(self.counts.max())
        numbers = torch.from_numpy(draws.uniform(purpose, most)).T.to(self.ids.device)
        return torch.where(self.places(most) < self.counts[:, None], numbers, 2.0)

    def places(self, most: int) -> Tensor:
        """0 up to the most words, int64 [1, W]."""
        return torch.arange(most, device=self.ids.device)[None]

    def of_words(self, values: Tensor) -> Tensor:
        """For each token the value [B, W] of its word; [B, L]. What it is outside of words is without meaning."""
        return values.gather(1, self.word.clamp(min=0))


WordChange = Callable[[Words, Draws], Words]
"""Changes texts; what becomes of each depends on its tokens and its own random numbers alone."""


@dataclass(frozen=True)
class Dropout:
    """Leaves words out, each with a probability (Iyyer and others, ACL 2015); one at least stays."""

    probability: float

    def __call__(self, texts: Words, draws: Draws) -> Words:
        gone = texts.of_words(_chosen(texts, draws, self.probability)) & (texts.word >= 0)
        kept = texts.mask & ~gone
        order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
        places = torch.arange(kept.shape[1], device=kept.device)
        mask = places < kept.sum(dim=1, keepdim=True)
        return Words(texts.ids.gather(1, order), mask, texts.word.gather(1, order), texts.counts, texts.mask_token)


@dataclass(frozen=True)
class Masking:
    """Replaces every token of a word by the one that masks (blank noising: Xie and others, ICLR 2017)."""

    probability: float

    def __call__(self, texts: Words, draws: Draws) -> Words:
        assert texts.mask_token is not None, "whoever built it has seen to it"
        hidden = texts.of_words(_chosen(texts, draws, self.probability)) & (texts.word >= 0)
        ids = texts.ids.masked_fill(hidden, texts.mask_token)
        return Words(ids, texts.mask, texts.word, texts.counts, texts.mask_token)


@dataclass(frozen=True)
class Swap:
    """Lets words change places with each other (random swap of Wei and Zou, *EDA*, EMNLP 2019).

    Each word takes part with a probability; those that do are put into a random order among their places. Words of
    several tokens move as a whole, special tokens stay where they are.
    """

    probability: float

    def __call__(self, texts: Words, draws: Draws) -> Words:
        moved = texts.per_word(draws, "words") < self.probability
        places = texts.places(moved.shape[1]).expand_as(moved)
        behind = places.shape[1]
        # The places of those that move, in order; and for each of them, which of these it gets.
        slots = torch.where(moved, places, behind + places).sort(dim=1).values.clamp(max=behind - 1)
        keys = torch.where(moved, texts.per_word(draws, "order"), 3.0 + places)
        turn = keys.argsort(dim=1).argsort(dim=1)
        target = torch.where(moved, slots.gather(1, turn), places)
        return self._in_order(texts, target)

    @staticmethod
    def _in_order(texts: Words, target: Tensor) -> Words:
        """Put the tokens of words, in the order of their words' new places, where tokens of words have been."""
        length = texts.ids.shape[1]
        position = torch.arange(length, device=texts.ids.device).expand_as(texts.ids)
        inside = texts.word >= 0
        outside = (length + 1) ** 2
        source = torch.where(inside, texts.of_words(target) * length + position, outside + position)
        # Position within a word is its order there: words do not interleave, so the number of the token will do.
        source, slots = source.argsort(dim=1), torch.where(inside, position, outside + position).argsort(dim=1)
        ids = torch.empty_like(texts.ids).scatter_(1, slots, texts.ids.gather(1, source))
        word = torch.empty_like(texts.word).scatter_(1, slots, texts.word.gather(1, source))
        return Words(ids, texts.mask, word, texts.counts, texts.mask_token)


def _chosen(texts: Words, draws: Draws, probability: float) -> Tensor:
    """Words that are drawn, bool [B, W], never all of a text: the one with the largest number stays."""
    numbers = texts.per_word(draws, "words")
    chosen = numbers < probability
    largest = torch.where(numbers < 1.5, numbers, -1.0).argmax(dim=1, keepdim=True)
    all_chosen = chosen.sum(dim=1, keepdim=True) == texts.counts[:, None]
    return chosen & ~(all_chosen & (texts.places(chosen.shape[1]) == largest))

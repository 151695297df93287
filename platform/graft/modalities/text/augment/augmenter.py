"""Changes some of the texts of a batch, where they have words enough."""

import numpy as np
import torch
from torch import Tensor

from graft.core.errors import SpecError
from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.text.augment.mask_tokens import no_mask_token
from graft.modalities.text.augment.vocabulary import Vocabulary, vocabulary_of
from graft.modalities.text.augment.words import Dropout, Masking, Swap, WordChange, Words
from graft.spec.components.augmentation import Augmentation
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.text import TextPreprocessing, WordAugmentation, WordDropout, WordMask, WordSwap
from graft.spec.registry import build

IDS, MASK = "input_ids", "attention_mask"


class TextAugmenter:
    """Changes the texts of a batch at random.

    Args:
        augmentation: `share` of the texts are changed; texts with fewer words than `min_words` stay bit for bit.
        change: what is done to them.
        vocabulary: of the tokenizer.
        pad_token: number of the token that fills up.
    """

    def __init__(
        self, augmentation: WordAugmentation, change: WordChange, vocabulary: Vocabulary, pad_token: int
    ) -> None:
        self._augmentation, self._change = augmentation, change
        self._vocabulary, self._pad_token = vocabulary, pad_token

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """A changed copy, filled up to its longest text.

        Args:
            batch: with tokens int64 [B, L] and their mask, on any device; not changed.
            draws: of its samples.
        """
        ids, mask = batch[IDS], batch[MASK] > 0
        word = self._vocabulary.words(ids, mask)
        counts = word.amax(dim=1) + 1
        wanted = torch.from_numpy(draws.uniform("share")[0] < self._augmentation.share).to(ids.device)
        chosen = torch.nonzero(wanted & (counts >= max(self._augmentation.min_words, 1)))[:, 0]
        if self._augmentation.num_views == 0 or not len(chosen):
            return batch
        some = Words(ids[chosen], mask[chosen], word[chosen], counts[chosen], self._vocabulary.mask_token)
        changed = self._change(some, draws.take(np.asarray(chosen.cpu())))
        ids, mask = ids.index_copy(0, chosen, changed.ids), mask.index_copy(0, chosen, changed.mask)
        return self._filled(batch, ids, mask)

    def _filled(self, batch: Batch, ids: Tensor, mask: Tensor) -> Batch:
        longest = max(int(mask.sum(dim=1).max()), 1)
        tensors = {**batch, IDS: ids.masked_fill(~mask, self._pad_token), MASK: mask.to(batch[MASK].dtype)}
        return Batch({name: tensor[:, :longest] for name, tensor in tensors.items()})


def text_augmenter(
    spec: Augmentation, data: DataSpec | None, given: TextPreprocessing, tokenizer: bytes
) -> TextAugmenter:
    """What an augmentation does to texts that were prepared in some way.

    Args:
        spec: one of ours, or of another package: a `WordAugmentation` that is built to a `WordChange`.
        data: the job's data section; ours do without.
        given: of the texts.
        tokenizer: the content of its file.

    Raises:
        SpecError: it masks, and the tokenizer cannot.
    """
    assert isinstance(spec, WordAugmentation), "the job was validated: it changes texts"
    vocabulary = vocabulary_of(tokenizer)
    if spec.needs_mask_token and vocabulary.mask_token is None:
        raise SpecError([no_mask_token(spec.kind, given.tokenizer_of)])
    return TextAugmenter(spec, build(spec, data), vocabulary, given.pad_token)


def word_dropout(spec: WordDropout, data: DataSpec | None) -> WordChange:
    """Leaves words out."""
    return Dropout(spec.magnitude)


def word_swap(spec: WordSwap, data: DataSpec | None) -> WordChange:
    """Lets words change places."""
    return Swap(spec.magnitude)


def word_mask(spec: WordMask, data: DataSpec | None) -> WordChange:
    """Masks words."""
    return Masking(spec.magnitude)

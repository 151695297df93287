"""Real texts that every installation has, to see what networks make of them."""

import itertools
import re

import numpy as np
import torch

from graft.data.batch import Batch
from graft.modalities.text.info import TextInput
from graft.modalities.text.tokenizer import backbone_tokenizer, tokenizer_of

_WORDS = re.compile(r"[A-Z][^*`:]{40,400}\.$")


def paragraph_batch(given: TextInput, size: int, count: int) -> Batch:
    """Paragraphs of Python's manual, as a network takes them.

    Args:
        given: what the network takes.
        size: most tokens of a text.
        count: most texts.

    Raises:
        ArtifactError: it comes without a tokenizer.
    """
    tokenizer = tokenizer_of(backbone_tokenizer(given, given.family))
    tokens, _ = tokenizer.encode(paragraphs(count), min(size, given.max_tokens))
    longest = max(len(one) for one in tokens)
    mask = np.arange(longest) < np.array([len(one) for one in tokens])[:, None]
    numbers = np.full(mask.shape, given.pad_token, dtype=np.int64)
    numbers[mask] = np.concatenate(tokens)
    ids, kept = torch.from_numpy(numbers), torch.from_numpy(mask.astype(np.int64))
    every = {"input_ids": ids, "attention_mask": kept, "token_type_ids": torch.zeros_like(ids)}
    return Batch({name: every[name] for name in given.names})


def paragraphs(count: int) -> list[str]:
    """The first plain paragraphs of the manual that `help()` shows."""
    from pydoc_data.topics import topics

    pieces = (" ".join(one.split()) for text in topics.values() for one in text.split("\n\n"))
    return list(itertools.islice((one for one in pieces if _WORDS.match(one)), count))

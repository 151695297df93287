"""The modality of texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.data.columns import Column, Ragged, StorageSpec
from graft.data.listing import Listing, Progress, list_samples
from graft.data.read import Unreadable
from graft.modalities.protocol import Exhibit
from graft.modalities.text.decode import TextDecoder, decoder_for
from graft.modalities.text.files import InlineText
from graft.modalities.text.info import TextInput
from graft.modalities.text.serving import RowText, TextRequests, find_texts, reader_of, text_of
from graft.modalities.text.storage import REPAIRS, TEXT, count_cut, length_column, storage_for
from graft.modalities.text.tokenizer import SHORT_DIGEST, backbone_tokenizer, content_of, tokenizer_of
from graft.models.load import describe_backbone
from graft.spec.modalities.base import DataSpec, Preprocessing
from graft.spec.modalities.text import (
    DEFAULT_MAX_CHARACTERS,
    DEFAULT_MAX_TOKENS,
    Repair,
    TextModality,
    TextPreprocessing,
    WordDropout,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from graft.data.batch import Batch
    from graft.data.inputs import Augmenter
    from graft.modalities.text.transforms import TextInputs
    from graft.models.info import BackboneInfo
    from graft.spec.components.augmentation import Augmentation
    from graft.spec.space.space import StrategySpace
    from graft.spec.strategy import Strategy


class Texts:
    """Sentences, reviews, descriptions; stateless.

    Args:
        spec: of the modality.
    """

    name = "text"
    signature: Mapping[str, str] = {"text": "string"}
    forms = "a string, its bytes in UTF-8, or a `Path` of a text file"
    is_ragged = True

    def __init__(self, spec: TextModality | None = None) -> None:
        self.spec = spec or TextModality()

    def list(self, spec: DataSpec, progress: Progress | None = None) -> Listing:
        """All texts of a source, nothing tokenized.

        Raises:
            DataError: the source cannot be used.
        """
        listing, wanted = list_samples(spec, progress), _repairs(spec)
        return replace(listing, facts={**listing.facts, REPAIRS: wanted}) if wanted else listing

    def storage(self, listing: Listing, space: "StrategySpace") -> StorageSpec:
        """The bytes of each text, and its tokens by every tokenizer of the space.

        Raises:
            SpecError: a backbone of the space takes no texts.
            ArtifactError: a tokenizer cannot be had.
        """
        return storage_for(listing, space)

    def decoder(self, spec: DataSpec, listing: Listing, storage: StorageSpec) -> TextDecoder:
        """What turns sources into columns; holds the tokenizers, so it runs on any machine of the cluster."""
        limit = spec.decoding().get("max_characters", DEFAULT_MAX_CHARACTERS)
        return decoder_for(storage, listing.reader or InlineText(), limit)

    def size(self, strategy: "Strategy") -> int:
        """The most tokens of a text."""
        return int(getattr(strategy, "max_tokens", None) or DEFAULT_MAX_TOKENS)

    def sized(self, size: int) -> Mapping[str, Any]:
        """The most tokens."""
        return {"max_tokens": size}

    def sizes(self, space: "StrategySpace") -> tuple[int, ...]:
        """All numbers of tokens."""
        return tuple(int(value or DEFAULT_MAX_TOKENS) for value in space.values("max_tokens"))

    def stored_numbers(self, info: "BackboneInfo", size: int, cut: int) -> int | None:
        """A vector for every token, with its mask; one for the text at the top."""
        if cut == info.num_blocks:
            return info.num_features
        return min(size, _input(info).max_tokens) * (info.num_features + 1)

    def notes(
        self, columns: Mapping[str, Column], sizes: Sequence[int], backbones: Sequence["BackboneInfo"]
    ) -> tuple[str, ...]:
        """How many texts are cut, at each `max_tokens`, and at what a backbone has positions for."""
        counted = {(size, ""): count_cut(columns, size) for size in sorted(set(sizes))}
        for info in backbones:
            given = _input(info)
            most, own = given.max_tokens, length_column(given.digest)
            if most < max(sizes) and own in columns:
                counted[most, f", the most that {info.name} takes"] = count_cut({own: columns[own]}, most)
        of = f"of {len(columns[TEXT])} texts have more than"
        told = (
            f"{count} {of} {size} tokens{why}; what lies behind is not seen"
            for (size, why), count in counted.items()
            if count
        )
        return tuple(told)

    def preprocessing(self, storage: StorageSpec, strategy: "Strategy", info: "BackboneInfo") -> TextPreprocessing:
        """Where the tokens of the backbone are, and where to cut them.

        Raises:
            ArtifactError: the storage has no tokens by the backbone's tokenizer.
        """
        from graft.modalities.text.transforms import preprocessing_for

        return preprocessing_for(storage, self.size(strategy), info)

    def inputs(self, columns: Mapping[str, Column], given: Preprocessing, device: "torch.device") -> "TextInputs":
        """Rows to batches, filled up to the longest text of each."""
        from graft.modalities.text.transforms import text_inputs

        return text_inputs(columns, _texts(given), device)

    def augmenter(self, spec: "Augmentation", data: DataSpec, given: Preprocessing) -> "Augmenter | None":
        """What changes words at random.

        Raises:
            SpecError: it masks, and the tokenizer cannot.
            ArtifactError: the tokenizer cannot be had any more.
        """
        if spec.num_views == 0:
            return None
        from graft.modalities.text.augment.augmenter import text_augmenter

        return text_augmenter(spec, data, _texts(given), self._tokenizer(_texts(given), None))

    def invariances(self, data: DataSpec) -> Mapping[str, Any]:
        """Nothing is known of it."""
        return {}

    def test_views(
        self, count: int, invariances: Mapping[str, Any], given: Preprocessing, directory: Path | None = None
    ) -> Sequence["Augmenter"]:
        """Texts without a tenth of their words; short ones stay as they are."""
        from graft.modalities.several_views import AlikeForAll
        from graft.modalities.text.augment.augmenter import text_augmenter

        known = _texts(given)
        augmenter = text_augmenter(WordDropout(), None, known, self._tokenizer(known, directory))
        return [AlikeForAll(augmenter, view) for view in range(1, count + 1)]

    @staticmethod
    def _tokenizer(given: TextPreprocessing, directory: Path | None) -> bytes:
        if directory is not None:
            return content_of(directory / given.tokenizer_file, given.tokenizer)
        return backbone_tokenizer(_input(describe_backbone(given.tokenizer_of)), given.tokenizer_of)

    def problems(self, space: "StrategySpace") -> Iterator[Problem]:
        """A masking of words by a tokenizer that cannot mask."""
        from graft.modalities.text.augment.mask_tokens import masking_problems

        return masking_problems(space)

    def example_batch(self, info: "BackboneInfo", size: int, count: int) -> "Batch":
        """Texts without content, of full length."""
        from graft.modalities.text.transforms import example_batch

        return example_batch(_input(info), size, count)

    def real_batch(self, given: Any, size: int, count: int) -> "Batch":
        """Paragraphs of Python's own manual.

        Raises:
            ArtifactError: the backbone comes without a tokenizer.
        """
        from graft.modalities.text.backbones.paragraphs import paragraph_batch

        return paragraph_batch(given, size, count)

    def given_to_mapped(self, own: Any, source: Any) -> Any:
        """Its own tokens: the rows of the embeddings follow them."""
        return own

    def vocabulary(self, given: Any, directory: Path | None = None) -> Mapping[str, int] | None:
        """The tokens of its tokenizer, special ones included."""
        if isinstance(given, TextPreprocessing):
            assert directory is not None, "a bundle brings its tokenizer"
            content = content_of(directory / given.tokenizer_file, given.tokenizer)
        elif given.tokenizer is None:
            return None
        else:
            content = backbone_tokenizer(given, "")
        return tokenizer_of(content).numbers

    def suit(self, network: "nn.Module", device: "torch.device") -> None:
        """Nothing is quicker than what transformers has."""

    def place(self, network: "nn.Module", device: "torch.device") -> "nn.Module":
        """A network on a device."""
        return network.to(device)

    def bundle_files(self, given: Preprocessing, info: "BackboneInfo") -> Mapping[str, bytes]:
        """The tokenizer's file.

        Raises:
            ArtifactError: it is gone, or has changed since the texts were read.
        """
        wanted = _texts(given)
        found = _input(describe_backbone(wanted.tokenizer_of))
        if found.tokenizer is not None and found.digest == wanted.tokenizer:
            return {wanted.tokenizer_file: backbone_tokenizer(found, wanted.tokenizer_of)}
        raise ArtifactError(
            f"the tokenizer of backbone `{wanted.tokenizer_of}` is another one than when the texts were read (then "
            f"{wanted.tokenizer[:SHORT_DIGEST]}…); put that tokenizer.json back"
        )

    def reader(self, given: Preprocessing, directory: Path) -> TextRequests:
        """How a bundle reads texts, bytes, and `Path`s of files.

        Raises:
            ArtifactError: its tokenizer is missing, damaged, or another one.
        """
        return reader_of(_texts(given), directory)

    def sample_of(self, listing: Listing, row: int) -> str | None:
        """Its text."""
        try:
            text: str = (listing.reader or InlineText())(listing.sources[row])
        except Unreadable:
            return None
        return text

    def exhibit(self, sample: Any) -> Exhibit:
        """Its text."""
        return Exhibit(text_of(sample, "utf-8"))

    def is_sample(self, value: Any) -> bool:
        """Strings, their bytes, and `Path`s of files."""
        return isinstance(value, str | bytes | Path | RowText)

    def names_file(self, value: Any) -> bool:
        """A `Path`: a string is a text, whatever it says."""
        return isinstance(value, Path)

    def table_columns(self, preprocessing: Preprocessing) -> tuple[str, ...]:
        """That of the training table, or ``text``."""
        given = _texts(preprocessing)
        return tuple(dict.fromkeys(name for name in (given.text_column, TEXT) if name))

    def from_table(self, column: Sequence[Any]) -> Sequence[str]:
        """Texts as they are.

        Raises:
            SpecError: a cell is no text.
        """
        odd = [row for row, cell in enumerate(column) if not isinstance(cell, str)]
        if odd:
            told = f"is {type(column[odd[0]]).__name__}, but must be text"
            raise SpecError(f"text of row {odd[0]} {told}; send a string for each row")
        return list(column)

    def example_row(self, columns: Mapping[str, Column], row: int) -> dict[str, Any]:
        """The text."""
        return {"text": self.previews(columns, np.array([row]))[0]}

    def find(self, given: Sequence[str | Path], preprocessing: Preprocessing | None = None) -> Sequence[Path | RowText]:
        """The texts meant by files, folders and tables on a command line.

        Args:
            given: as the command line has them.
            preprocessing: of the bundle: says the column of a table and the encoding; ``text`` and UTF-8 without it.

        Raises:
            SpecError: one of them is missing or holds none; all problems at once.
        """
        if preprocessing is None:
            return find_texts(given)
        wanted = _texts(preprocessing)
        return find_texts(given, wanted.text_column, wanted.encoding)

    def previews(self, columns: Mapping[str, Column], rows: np.ndarray) -> Sequence[str]:
        """The texts themselves."""
        texts = columns[TEXT]
        assert isinstance(texts, Ragged), "texts are of any length"
        return [bytes(content).decode("utf-8", "replace") for content in texts.take(rows)]


def _repairs(spec: DataSpec) -> list[str]:
    """What the job wants mended in each text; in an order of their own, however the job names them."""
    return [kind for kind in get_args(Repair) if spec.clean.get(kind) == "fix"]


def _texts(given: Preprocessing) -> TextPreprocessing:
    assert isinstance(given, TextPreprocessing), "the modality has made it"
    return given


def _input(info: "BackboneInfo") -> TextInput:
    given: Any = info.input
    assert isinstance(given, TextInput), "a text backbone says what texts it takes"
    return given

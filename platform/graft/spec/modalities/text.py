"""Texts, as a job names them: kinds of data, preprocessing, and what they add to a strategy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Share, Spec
from graft.spec.components.augmentation import Augmentation
from graft.spec.defaults.closed_form import Beside, Size
from graft.spec.defaults.recommended import Recommended
from graft.spec.defaults.scale import Length, Scale
from graft.spec.modalities.base import DataSpec, ModalitySpec, Preprocessing
from graft.spec.modalities.data_path import LocalPath
from graft.spec.modalities.folder import FolderSource
from graft.spec.modalities.text_defaults import BAG, feature_lengths, recommended_by_size, seconds_at

DEFAULT_MAX_TOKENS = 128
DEFAULT_MAX_CHARACTERS = 100_000

Repair = Literal["encoding", "markup", "invisible_characters", "homoglyph"]
"""Kinds of findings in a text that can be mended."""


class TextFields(Spec):
    """What texts add to a strategy."""

    max_tokens: int | None = Field(
        None,
        ge=8,
        le=8192,
        description=f"Texts: tokens that the backbone sees of each, the rest is cut; {DEFAULT_MAX_TOKENS} if left out.",
    )


class TextPreprocessing(Preprocessing):
    """From a text to the token numbers a backbone takes: its own fast tokenizer, cut at `max_tokens`."""

    kind: Literal["text"] = "text"
    of_source: ClassVar[frozenset[str]] = frozenset({"max_characters", "encoding", "text_column", "repairs"})
    tokenizer: str = Field(min_length=1, description="sha256 of the tokenizer's file.")
    tokenizer_file: str = Field("tokenizer.json", description="Name of the tokenizer's file in the bundle.")
    tokenizer_of: str = Field(min_length=1, description="Backbone that has brought the tokenizer.")
    column: str = Field(min_length=1, description="Column of the dataset that holds its tokens.")
    max_tokens: int = Field(ge=2, le=8192, description="Tokens that the backbone sees, special ones included.")
    pad_token: int = Field(ge=0, description="Number of the token that fills up.")
    closing_tokens: int = Field(1, ge=0, description="Special tokens at the end of every text, which no cut takes.")
    inputs: tuple[str, ...] = Field(strict=False, description="Names of the tensors that the network takes.")
    max_characters: int = Field(DEFAULT_MAX_CHARACTERS, ge=1, description="Characters of a text that are looked at.")
    encoding: str = Field("utf-8", min_length=1, max_length=40, description="How files of texts are encoded.")
    text_column: str | None = Field(None, description="Column of the texts in the table that was trained on.")
    repairs: tuple[Repair, ...] = Field((), strict=False, description="What is mended in a text before it is read.")

    @property
    def size(self) -> int:
        """The most tokens."""
        return self.max_tokens


class TextModality(ModalitySpec):
    """Sentences, reviews, descriptions: anything that is written."""

    kind: Literal["text"] = "text"
    built_by: ClassVar[str] = "graft.modalities.text.modality:Texts"
    default_backbone: ClassVar[str] = "minilm_l6"
    fields: ClassVar[type[Spec]] = TextFields
    usual: ClassVar[Mapping[str, Any]] = {"max_tokens": DEFAULT_MAX_TOKENS}
    preprocessing: ClassVar[type[Preprocessing]] = TextPreprocessing
    takes: ClassVar[str] = "texts"
    features_by: ClassVar[str] = "graft.modalities.text.checks.features:text_features"
    reference: ClassVar[Mapping[str, Any]] = {"backbone": "minilm_l6", "max_tokens": 64}
    default_space: ClassVar[Mapping[str, Any]] = {
        "freeze": {"choice": [1.0, 0.83, 0.67, 0.5, 0.0]},
        "lr": {"loguniform": [5e-5, 1e-3]},
        "head_lr_factor": {"choice": [10.0, 30.0]},
        "batch_size": {"choice": [16, 32]},
        "max_tokens": {"choice": [64, 128]},
    }

    length: ClassVar[Length] = Length(least_steps=200, least_epochs=3, most_epochs=10)

    @classmethod
    def recommended(cls, data: DataSpec, scale: Scale) -> Recommended:
        """All blocks, where there is time for three epochs; then fewer of them."""
        return recommended_by_size(cls.default_space, scale)

    @classmethod
    def feature_sizes(cls, data: DataSpec) -> tuple[Size, ...]:
        """Half a text, and what most texts are."""
        return feature_lengths()

    @classmethod
    def solved_besides(cls, data: DataSpec) -> tuple[Beside, ...]:
        """A bag of words."""
        return (BAG,)

    @classmethod
    def training_seconds(cls, space: Any) -> float:
        """Of MiniLM-L6; it grows with the tokens."""
        return seconds_at(max(int(tokens or DEFAULT_MAX_TOKENS) for tokens in space.values("max_tokens")))

    @classmethod
    def notes_on_sizes(cls, space: Any, natives: Mapping[str, int]) -> tuple[str, ...]:
        """Numbers of tokens that a backbone has no positions for."""
        asked, told = sorted({int(tokens or DEFAULT_MAX_TOKENS) for tokens in space.values("max_tokens")}), []
        for name, most in natives.items():
            if more := [str(size) for size in asked if size > most]:
                cut = f"so {', '.join(more)} {'are' if more[1:] else 'is'} {most} there"
                told.append(f"strategy.max_tokens: {name} sees {most} tokens of a text at most, {cut}")
        return tuple(told)


class WordAugmentation(Augmentation):
    """What every random change of words has.

    A word is what the tokenizer takes for one: its pieces are changed together, special tokens never. The tokens of a
    tokenizer that does not mark words are taken for words.
    """

    modality: ClassVar[str | None] = "text"
    needs_mask_token: ClassVar[bool] = False
    magnitude: Share = Field(0.1, description="Share of the words of a text that are changed, on average.")
    share: Share = Field(1.0, description="Share of the texts of a batch that are augmented.")
    min_words: int = Field(4, ge=1, le=8192, description="A text with fewer words stays as it is.")
    views: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="Augmented versions of each text that epochs rotate through, so that frozen blocks see each only "
        "once; new ones in every epoch if left out.",
    )

    @property
    def num_views(self) -> int | None:
        """As many as are stored; none without magnitude or share."""
        return 0 if 0 in (self.magnitude, self.share) else self.views


class WordDropout(WordAugmentation):
    """Words are left out at random; one at least stays."""

    kind: Literal["word_dropout"] = "word_dropout"
    built_by: ClassVar[str] = "graft.modalities.text.augment.augmenter:word_dropout"


class WordSwap(WordAugmentation):
    """Words that are drawn at random change places with each other."""

    kind: Literal["word_swap"] = "word_swap"
    built_by: ClassVar[str] = "graft.modalities.text.augment.augmenter:word_swap"


class WordMask(WordAugmentation):
    """Words are hidden behind the token that the tokenizer masks with; one at least stays."""

    kind: Literal["word_mask"] = "word_mask"
    built_by: ClassVar[str] = "graft.modalities.text.augment.augmenter:word_mask"
    needs_mask_token: ClassVar[bool] = True


class TextSource(DataSpec):
    """What every kind of text source has."""

    encoding: str = Field(
        "utf-8", min_length=1, max_length=40, description="How the texts are encoded, such as cp1252."
    )
    max_characters: int = Field(
        DEFAULT_MAX_CHARACTERS,
        ge=1,
        description="Characters of a text that are kept; what lies behind them is cut before tokenizing.",
    )

    @property
    def modality(self) -> str:
        return "text"

    def decoding(self) -> dict[str, Any]:
        """Encoding and limit."""
        return {"encoding": self.encoding, "max_characters": self.max_characters}


class TextFolderData(TextSource, FolderSource):
    """A directory of text files: ``<path>/<class>/**/*.txt``, or ``<path>/{train,val,test}/<class>/**/*.txt``."""

    kind: Literal["text_folder"] = "text_folder"
    built_by: ClassVar[str] = "graft.modalities.text.sources.text_folder:list_text_folder"
    drafted_by: ClassVar[str] = "graft.modalities.text.draft:draft_folder"
    overview_by: ClassVar[str] = "graft.modalities.text.overview:text_folder_overview"


class WordnetData(TextSource):
    """WordNet's definitions, each labelled with the kind of thing that it defines (Debian package `wordnet-base`)."""

    kind: Literal["wordnet"] = "wordnet"
    built_by: ClassVar[str] = "graft.modalities.text.sources.wordnet:list_wordnet"
    overview_by: ClassVar[str] = "graft.modalities.text.overview:wordnet_overview"
    task_hint: ClassVar[tuple[str, str] | None] = ("classification", "each definition is of one kind of thing")
    path: LocalPath = Field(Path("/usr/share/wordnet"), description="Directory of the database.")
    part: Literal["noun", "verb"] = Field("noun", description="Part of speech.")

"""What a user may ask predictions for: texts, files of them, folders of files, and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import SpecError
from graft.data.columns import Column, Ragged
from graft.data.read import Unreadable, read_file
from graft.data.tables.labelled import SUFFIXES
from graft.data.tables.samples import read_samples
from graft.modalities.finding import Found, find_all, found_below
from graft.modalities.protocol import Readings
from graft.modalities.text.files import MAX_TEXT_BYTES, decoded, usable
from graft.modalities.text.sources.text_folder import text_files
from graft.modalities.text.storage import TEXT, length_column
from graft.modalities.text.tokenizer import FastTokenizer, load_tokenizer
from graft.spec.modalities.text import TextPreprocessing


@dataclass(frozen=True)
class RowText:
    """A text of a table.

    Attributes:
        source: such as ``reviews.csv:12``.
        text: None where the table has none.
    """

    source: str
    text: str | None

    def content(self) -> bytes:
        """What tells it from other texts."""
        return (self.text or "").encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class TextRequests:
    """Reads values for prediction: a text, UTF-8 bytes, a `Path` of a file, or a `RowText`.

    Attributes:
        given: of the bundle.
        tokenizer: of the bundle.
    """

    given: TextPreprocessing
    tokenizer: FastTokenizer

    def __call__(self, values: Sequence[Any]) -> Readings:
        """Columns of those that can be read, and why the others cannot."""
        texts: list[str] = []
        errors: dict[int, str] = {}
        for position, value in enumerate(values):
            try:
                texts.append(self._text(value)[: self.given.max_characters])
            except Unreadable as error:
                errors[position] = str(error)
        sources = tuple(_name(value, position) for position, value in enumerate(values))
        return Readings(sources, self._columns(texts), errors)

    def _text(self, value: Any) -> str:
        return usable(text_of(value, self.given.encoding), self.given.repairs)

    def _columns(self, texts: list[str]) -> Mapping[str, Column]:
        tokens, lengths = self.tokenizer.encode(texts, self.given.max_tokens)
        contents = [np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8) for text in texts]
        return {
            TEXT: Ragged.of(contents, "uint8"),
            self.given.column: Ragged.of(tokens, "int32"),
            length_column(self.given.tokenizer): lengths,
        }


def text_of(value: Any, encoding: str) -> str:
    """The text of a value for prediction.

    Args:
        value: a text, UTF-8 bytes, a `Path` of a file, or a `RowText`.
        encoding: of files.

    Raises:
        Unreadable: there is none.
    """
    match value:
        case str():
            return usable(value)
        case bytes():
            return decoded(value, "utf-8")
        case Path():
            return decoded(read_file(value, MAX_TEXT_BYTES), encoding)
        case RowText():
            return usable(value.text or "")
        case None:
            raise Unreadable("is missing")
        case _:
            raise Unreadable(f"is a {type(value).__name__}, but must be a text")


def reader_of(given: TextPreprocessing, directory: Path) -> TextRequests:
    """The reader of the bundle in a directory.

    Raises:
        ArtifactError: its tokenizer is missing, damaged, or another one.
    """
    return TextRequests(given, load_tokenizer(directory / given.tokenizer_file, given.tokenizer))


def find_texts(
    given: Sequence[str | Path], column: str | None = None, encoding: str = "utf-8"
) -> Found[Path | RowText]:
    """The texts meant by a list of files, folders (searched through for .txt) and tables.

    Args:
        given: as the command line has them.
        column: of the texts in tables; `text` where a table lacks it.
        encoding: of tables.

    Raises:
        SpecError: one of them is missing or holds no text; all problems at once.
    """
    return find_all(given, lambda path: _expand(path, column, encoding))


def _expand(path: Path, column: str | None, encoding: str) -> Iterable[Path | RowText]:
    if path.is_dir():
        return found_below(path, text_files(path), ".txt file")
    if not path.exists():
        raise SpecError(f"{path} does not exist; name a text file, a folder or a table")
    if path.suffix.lower() in SUFFIXES:
        wanted = tuple(dict.fromkeys(name for name in (column, TEXT) if name))
        texts = read_samples(path, wanted, encoding)
        return (RowText(f"{path.name}:{row}", text) for row, text in enumerate(texts, start=1))
    return iter([path])


def _name(value: Any, position: int) -> str:
    match value:
        case Path():
            return str(value)
        case RowText():
            return value.source
        case _:
            return f"#{position}"

"""What a directory of texts may be, and what suits the texts that are in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.data.draft import Draft, Wish
from graft.data.folders.paths import printable
from graft.data.read import Unreadable, read_file
from graft.data.tables.encoding import decoder_of, is_utf8, marked_encoding
from graft.modalities.guessed_encoding import WESTERN, reads_western, require_known, told_guess
from graft.modalities.text.file_names import are_boxes, foreign_reason
from graft.modalities.text.sources.text_folder import text_files

_LOOKED_AT = 200
_MOST_BYTES = 1 << 20
# Of English texts and the tokenizer of MiniLM: 1.3 tokens a word; of texts without blanks, about one in two letters.
_TOKENS_A_WORD, _LETTERS_A_TOKEN = 1.4, 5.0


def draft_folder(path: Path, wish: Wish) -> Draft | None:
    """A directory of text files in folders that name their classes.

    Raises:
        DataError: they are no texts, but boxes of objects in pictures.
    """
    if not path.is_dir():
        return None
    files = text_files(path).files
    if not files:
        return None
    some = files[:: max(1, len(files) // _LOOKED_AT)][:_LOOKED_AT]
    contents = [_content(file) for file in some]
    boxes = [file for file, content in zip(some, contents, strict=True) if are_boxes(content)]
    if 2 * len(boxes) > len(some):
        shown = printable(boxes[0].relative_to(path).as_posix())
        raise DataError(
            f"{path} holds boxes of objects, as YOLO writes them ({shown}), but graft learns what a whole picture is; "
            "sort the pictures into one folder for each class, or write a table of files and labels"
        )
    readable = {file: content for file, content in zip(some, contents, strict=True) if not foreign_reason(content)}
    guess = _Guess(wish.encoding) if wish.encoding else _guessed(readable)
    decoder_of(guess.encoding)
    texts = [content.decode(guess.encoding, "replace") for content in contents]
    section = {} if is_utf8(guess.encoding) else {"encoding": guess.encoding}
    notes = (guess.told,) if guess.told else ()
    return Draft("text_folder", path, len(files), section, fitted_to_texts(texts), notes)


@dataclass(frozen=True)
class _Guess:
    encoding: str = "utf-8"
    told: str = ""


def _guessed(contents: Mapping[Path, bytes]) -> _Guess:
    """The encoding of most files: UTF-8, what they say themselves, or cp1252 if it makes sense.

    Raises:
        DataError: it is another one; names those that it may be.
    """
    marks = [mark for content in contents.values() if (mark := marked_encoding(content[:4]))]
    if 2 * len(marks) > len(contents):
        return _Guess(marks[0])
    others = {file: content for file, content in contents.items() if not _is_utf8(content)}
    if 2 * len(others) <= len(contents):
        return _Guess()
    start, first = b" ".join(others.values()), next(iter(others))
    if not reads_western(start):
        require_known(start, str(first))
    return _Guess(WESTERN, told_guess(start, first.name))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def fitted_to_texts(texts: Sequence[str]) -> Mapping[str, Any]:
    """Keys of `strategy` for the lengths of some texts: nine in ten of them are to be seen whole."""
    some = [text for text in texts[:: max(1, len(texts) // _LOOKED_AT)] if text]
    if not some:
        return {}
    lengths = sorted(max(_TOKENS_A_WORD * len(text.split()), len(text) / _LETTERS_A_TOKEN) for text in some)
    most = lengths[int(0.9 * (len(lengths) - 1))]
    if most <= 60:
        return {"max_tokens": 64}
    return {} if most <= 120 else {"max_tokens": {"choice": [128, 256]}}


def _content(file: Path) -> bytes:
    try:
        return read_file(str(file).encode("utf-8", "surrogateescape"), _MOST_BYTES)
    except Unreadable:  # ingest will name it
        return b""

"""What a directory of texts may be, and what suits the texts that are in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.data.draft import Draft, Wish
from graft.data.folders.paths import printable
from graft.data.read import Unreadable, read_file
from graft.modalities.text.file_names import are_boxes
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
    texts = [_text(file) for file in some]
    boxes = [file for file, text in zip(some, texts, strict=True) if are_boxes(text.encode())]
    if 2 * len(boxes) > len(some):
        shown = printable(boxes[0].relative_to(path).as_posix())
        raise DataError(
            f"{path} holds boxes of objects, as YOLO writes them ({shown}), but graft learns what a whole picture is; "
            "sort the pictures into one folder for each class, or write a table of files and labels"
        )
    return Draft("text_folder", path, len(files), {}, fitted_to_texts(texts))


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


def _text(file: Path) -> str:
    try:
        return read_file(str(file).encode("utf-8", "surrogateescape"), _MOST_BYTES).decode("utf-8", "replace")
    except Unreadable:  # ingest will name it
        return ""

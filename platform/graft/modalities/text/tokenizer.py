"""Texts to token numbers, by the fast tokenizer that a backbone was trained with."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from graft.core.errors import ArtifactError
from graft.modalities.text.info import TextInput
from graft.modalities.text.tokenizer_file import read_tokenizer

SHORT_DIGEST = 12
_UNUSUAL = "\u2603 \u4e00\u4e01 zqxj7 \u0df4"
_CHARACTERS_AT_ONCE = 1_000_000
"""A token costs the library some hundred bytes while it works: long texts are handed to it a few at a time."""


class FastTokenizer:
    """A tokenizer that cuts and fills nothing by itself.

    Args:
        content: of its ``tokenizer.json``.

    Raises:
        ArtifactError: it is no such file.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(content)
            # What the file says of length and filling belongs to whoever saved it: MiniLM's fills up to 128.
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            self._tokenizer.encode(_UNUSUAL)  # one that has nothing for what it does not know would fail in the middle
        except Exception as error:  # the library raises plain exceptions
            raise ArtifactError(f"is no fast tokenizer ({_one_line(error)}); save it anew as tokenizer.json") from error
        self.closing = _closing(self._tokenizer)
        """How many special tokens end every text."""

    @property
    def vocabulary(self) -> int:
        """One more than the largest number of a token."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each token, of added ones too."""
        found: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        return found

    def encode(self, texts: Sequence[str], max_tokens: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Tokens of texts.

        Args:
            texts: any number of them.
            max_tokens: those behind are cut; the special tokens at the end stay.

        Returns:
            int32 tokens of each, and int32 [N], how many there were before the cut.
        """
        tokens: list[np.ndarray] = []
        lengths: list[int] = []
        for some in _portions(texts):
            for encoding in self._tokenizer.encode_batch_fast(list(some)):
                numbers = np.array(encoding.ids, dtype=np.int32)
                lengths.append(len(numbers))
                tokens.append(cut(numbers, max_tokens, self.closing))
        return tokens, np.array(lengths, dtype=np.int32)


def cut(tokens: np.ndarray, max_tokens: int, closing: int) -> np.ndarray:
    """The first tokens of a text and its closing special ones, `max_tokens` at most; a view if nothing is cut."""
    if len(tokens) <= max_tokens:
        return tokens
    end = min(closing, max_tokens)
    return np.concatenate([tokens[: max_tokens - end], tokens[len(tokens) - end :]])


def load_tokenizer(path: Path, digest: str) -> FastTokenizer:
    """The tokenizer in a file, if it is the one that is meant.

    Raises:
        ArtifactError: it cannot be read, is none, or is another one.
    """
    return tokenizer_of(content_of(path, digest), str(path))


def content_of(path: Path, digest: str) -> bytes:
    """The content of a tokenizer's file, if it is the one that is meant.

    Raises:
        ArtifactError: it cannot be read, or is another one.
    """
    return _meant(read_tokenizer(path), digest, path)


def backbone_tokenizer(given: TextInput, name: str) -> bytes:
    """The content of a backbone's tokenizer.

    Args:
        given: of the backbone.
        name: of the backbone, for messages.

    Raises:
        ArtifactError: it has none, or the file is not the one that is meant.
    """
    if given.tokenizer is None:
        raise ArtifactError(f"backbone `{name}` comes without a tokenizer; name one that has a tokenizer.json")
    return _meant(given.tokenizer.content(), given.digest, given.tokenizer.path())


@functools.lru_cache(maxsize=4)
def tokenizer_of(content: bytes, name: str = "tokenizer") -> FastTokenizer:
    """A tokenizer from the content of its file, built once in a process.

    Raises:
        ArtifactError: it is no such file.
    """
    try:
        return FastTokenizer(content)
    except ArtifactError as error:
        raise ArtifactError(f"{name} {error}") from error


def digest_of(content: bytes) -> str:
    """sha256, in hex."""
    return hashlib.sha256(content).hexdigest()


def _meant(content: bytes, digest: str, path: Path) -> bytes:
    found = digest_of(content)
    if found != digest:
        raise ArtifactError(
            f"tokenizer {path} has sha256 {found[:SHORT_DIGEST]}…, but must have {digest[:SHORT_DIGEST]}…, that of the "
            "one the network was trained with; put that file back"
        )
    return content


def _closing(tokenizer: Tokenizer) -> int:
    encoding = tokenizer.encode("a")
    for count, is_special in enumerate(reversed(encoding.special_tokens_mask)):
        if not is_special:
            return count
    # The letter itself is unknown to it: all tokens are special, and the first of them begins the text.
    return tokenizer.num_special_tokens_to_add(False) // 2


def _portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start, characters = 0, 0
    for index, text in enumerate(texts):
        if index > start and characters + len(text) > _CHARACTERS_AT_ONCE:
            yield texts[start:index]
            start, characters = index, 0
        characters += len(text)
    if start < len(texts):
        yield texts[start:]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

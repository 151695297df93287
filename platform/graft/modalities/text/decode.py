"""Sources to stored texts: their bytes and their tokens. Runs on any machine of the cluster, so it brings all along."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graft.data.columns import StorageSpec
from graft.data.listing import DecodedBlock
from graft.data.read import Unreadable
from graft.modalities.text.checks.signs import text_signs
from graft.modalities.text.files import TextReader, usable
from graft.modalities.text.info import TextInput
from graft.modalities.text.storage import REPAIRS, TEXT, length_column, stored_tokens, tokens_column
from graft.modalities.text.tokenizer import backbone_tokenizer, digest_of, tokenizer_of
from graft.models.load import describe_backbone


@dataclass(frozen=True)
class TextDecoder:
    """Turns sources into columns.

    Attributes:
        reader: gives the text of a source.
        max_characters: what lies behind them is not looked at.
        max_tokens: what lies behind them is not kept.
        tokenizers: contents of the tokenizers' files by digest; other machines may not have the files.
        repairs: what is mended in each text.
    """

    reader: TextReader
    max_characters: int
    max_tokens: int
    tokenizers: tuple[tuple[str, bytes], ...]
    repairs: tuple[str, ...] = ()

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        """Columns, digests and reasons of some sources."""
        raw, texts = [""] * len(sources), [""] * len(sources)
        failed: dict[int, Unreadable] = {}
        for place, source in enumerate(sources):
            try:
                raw[place] = self.reader(source)[: self.max_characters]
                texts[place] = usable(raw[place], self.repairs)
            except Unreadable as error:
                failed[place] = error
        contents = [text.encode("utf-8", "replace") for text in texts]
        digests = ["" if place in failed else digest_of(content) for place, content in enumerate(contents)]
        columns, signs = self._columns(texts, contents), text_signs(raw, texts)
        block = DecodedBlock(columns, digests, [""] * len(sources), signs=signs)
        for place, reason in failed.items():
            block.leave_out(place, reason)
        return block

    def _columns(self, texts: list[str], contents: list[bytes]) -> dict[str, np.ndarray | list[np.ndarray]]:
        columns: dict[str, np.ndarray | list[np.ndarray]] = {
            TEXT: [np.frombuffer(content, dtype=np.uint8) for content in contents]
        }
        for digest, content in self.tokenizers:
            tokens, lengths = self._tokens(content, texts)
            columns[tokens_column(digest)], columns[length_column(digest)] = tokens, lengths
        return columns

    def _tokens(self, content: bytes, texts: list[str]) -> tuple[list[np.ndarray], np.ndarray]:
        """Tokens of each, none where there is no text."""
        readable = [index for index, text in enumerate(texts) if text]
        found, counts = tokenizer_of(content).encode([texts[index] for index in readable], self.max_tokens)
        tokens = [np.empty(0, dtype=np.int32)] * len(texts)
        lengths = np.zeros(len(texts), dtype=np.int32)
        lengths[readable] = counts
        for index, one in zip(readable, found, strict=True):
            tokens[index] = one
        return tokens, lengths


def decoder_for(storage: StorageSpec, reader: TextReader, max_characters: int) -> TextDecoder:
    """The decoder of a storage.

    Raises:
        ArtifactError: a tokenizer cannot be had any more.
    """
    tokenizers = []
    for stored in stored_tokens(storage.form):
        given = describe_backbone(stored.backbone).input
        assert isinstance(given, TextInput), "storage_for has seen to it"
        tokenizers.append((stored.digest, backbone_tokenizer(given, stored.backbone)))
    repairs = tuple(storage.form.get(REPAIRS, ()))
    return TextDecoder(reader, max_characters, int(storage.form["max_tokens"]), tuple(tokenizers), repairs)

"""Tokenizers: what the file says of length does not count, special tokens survive a cut, the digest is checked."""

from pathlib import Path

import numpy as np
import pytest
from tests.modalities.text.tiny_backbone import tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers

from graft.core.errors import ArtifactError
from graft.modalities.text.tokenizer import FastTokenizer, cut, digest_of, load_tokenizer, tokenizer_of

CLS, SEP, UNKNOWN = 2, 3, 1


@pytest.fixture
def content() -> bytes:
    return tokenizer().to_str().encode()


def test_length_and_filling_of_the_file_do_not_count(content: bytes) -> None:
    tokens, lengths = FastTokenizer(content).encode(["good films", "the film is very very bad"], 20)
    assert tokens[0].tolist() == [CLS, 4, 6, 12, SEP]
    assert lengths.tolist() == [5, 8]
    assert {one.dtype for one in (*tokens, lengths)} == {np.dtype("int32")}


@pytest.mark.parametrize("max_tokens", range(2, 9))
def test_a_cut_is_that_of_the_library(content: bytes, max_tokens: int) -> None:
    theirs = tokenizer()
    theirs.no_padding()
    theirs.enable_truncation(max_tokens)
    text = "the film is very very bad"
    tokens, lengths = FastTokenizer(content).encode([text], max_tokens)
    assert tokens[0].tolist() == theirs.encode(text).ids
    assert lengths.tolist() == [8]


def test_cutting_twice_is_cutting_once() -> None:
    tokens = np.array([CLS, 5, 6, 7, 8, SEP], dtype=np.int32)
    assert cut(cut(tokens, 5, 1), 3, 1).tolist() == cut(tokens, 3, 1).tolist() == [CLS, 5, SEP]
    assert cut(tokens, 6, 1) is tokens
    assert cut(tokens, 3, 0).tolist() == [CLS, 5, 6]


@pytest.mark.parametrize(("template", "closing"), [("[CLS] $A [SEP]", 1), ("[CLS] $A", 0), ("$A [SEP] [CLS]", 2)])
def test_closing_tokens_are_counted(template: str, closing: int) -> None:
    from tokenizers import processors

    made = tokenizer()
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    assert FastTokenizer(made.to_str().encode()).closing == closing


def test_a_tokenizer_without_special_tokens_has_no_closing_ones() -> None:
    made = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    found = FastTokenizer(made.to_str().encode())
    assert found.closing == 0
    assert [one.tolist() for one in found.encode(["a b a", "a"], 2)[0]] == [[0, 1], [0]]


def test_many_long_texts_keep_their_order(content: bytes) -> None:
    texts = ["good " * 150_000 if number % 3 else "bad" for number in range(12)]
    tokens, lengths = FastTokenizer(content).encode(texts, 8)
    assert lengths.tolist() == [150_002 if number % 3 else 3 for number in range(12)]
    assert [len(one) for one in tokens] == [8 if number % 3 else 3 for number in range(12)]
    assert FastTokenizer(content).encode([], 8)[0] == []


def test_the_file_must_be_the_one_that_is_meant(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    assert load_tokenizer(path, digest_of(content)).vocabulary == 13
    with pytest.raises(ArtifactError, match=r"has sha256 .*…, but must have 000000000000…, .*put that file back$"):
        load_tokenizer(path, "0" * 64)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_tokenizer(tmp_path / "no.json", "0" * 64)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version":"1.0"}'])
def test_what_is_no_tokenizer_is_said_in_one_line(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"^tokenizer is no fast tokenizer \(.*\); save it anew") as raised:
        tokenizer_of(content)
    assert "\n" not in str(raised.value)


def test_a_tokenizer_without_a_token_for_what_it_does_not_know_is_refused() -> None:
    made = Tokenizer(models.WordPiece({"a": 0, "b": 1}, unk_token="[UNK]"))
    with pytest.raises(ArtifactError, match=r"is no fast tokenizer \(.*\[UNK\]"):
        FastTokenizer(made.to_str().encode())

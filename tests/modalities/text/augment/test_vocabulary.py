"""Which tokens begin a word, whatever way a tokenizer has to mark them."""

import pytest
import torch
from tests.modalities.text.tiny_backbone import tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from graft.modalities.text.augment.vocabulary import Vocabulary, vocabulary_of


def of(made: Tokenizer) -> Vocabulary:
    return vocabulary_of(made.to_str().encode())


def words(made: Tokenizer, text: str) -> list[int]:
    ids = torch.tensor([made.encode(text).ids])
    return of(made).words(ids, torch.ones_like(ids, dtype=torch.bool))[0].tolist()


def word_pieces() -> Tokenizer:
    made = tokenizer()
    made.no_truncation()
    made.no_padding()
    made.add_special_tokens(["[PAD]", "[CLS]", "[SEP]"])
    return made


def unigram(**marks: object) -> Tokenizer:
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁good", -1.0), ("▁film", -1.0), ("s", -1.0), ("▁", -3.0)], 0))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made.add_special_tokens(["<unk>", "<mask>"])
    return made


def byte_level() -> Tokenizer:
    made = Tokenizer(models.BPE({"good": 0, "Ġfilm": 1, "s": 2}, [], ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def test_word_pieces_go_on_with_a_prefix() -> None:
    assert words(word_pieces(), "good films the film") == [-1, 0, 1, 1, 2, 3, -1]


def test_a_word_that_is_not_known_is_a_word_all_the_same() -> None:
    assert words(word_pieces(), "good zzz film") == [-1, 0, 1, 2, -1]
    assert words(unigram(), "good @@ film")[0] == 0
    assert -1 not in words(unigram(), "good @@ film")


def test_sentence_pieces_begin_with_a_mark() -> None:
    assert words(unigram(), "good films") == [0, 1, 1]


def test_bytes_begin_with_the_mark_of_a_space_and_the_first_without() -> None:
    made = byte_level()
    ids = torch.tensor([[0, 1, 2, 1]])
    assert of(made).words(ids, torch.ones_like(ids, dtype=torch.bool)).tolist() == [[0, 1, 1, 2]]


def test_a_suffix_ends_a_word() -> None:
    made = Tokenizer(models.BPE({"go": 0, "od</w>": 1, "film</w>": 2}, [], end_of_word_suffix="</w>"))
    ids = torch.tensor([[0, 1, 2, 0, 1]])
    assert of(made).words(ids, torch.ones_like(ids, dtype=torch.bool)).tolist() == [[0, 0, 1, 2, 2]]


def test_without_marks_every_token_counts() -> None:
    made = Tokenizer(models.WordLevel({"good": 0, "film": 1, "?": 2}, unk_token="?"))
    assert of(made).unit == "token"
    assert words(made, "good") == [0]


def test_padding_belongs_to_no_word() -> None:
    ids = torch.tensor([[2, 4, 3, 0]])
    assert of(word_pieces()).words(ids, ids > 0).tolist() == [[-1, 0, -1, -1]]


@pytest.mark.parametrize(("name", "is_mask"), [("[MASK]", True), ("<mask>", True), ("[UNMASKED]", False)])
def test_the_token_that_masks_is_found_by_its_name(name: str, is_mask: bool) -> None:
    made = tokenizer()
    made.add_special_tokens([name])
    assert of(made).mask_token == (made.token_to_id(name) if is_mask else None)


def test_a_word_of_the_text_masks_nothing() -> None:
    made = tokenizer()
    made.add_tokens([AddedToken("mask")])
    assert of(made).mask_token is None

"""What is done to words: on made-up tokens, so that all of it can be seen."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from graft.core.errors import SpecError
from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.text.augment.augmenter import TextAugmenter, text_augmenter
from graft.modalities.text.augment.vocabulary import Vocabulary
from graft.spec.modalities.table import TableData
from graft.spec.modalities.text import TextPreprocessing, WordAugmentation, WordDropout, WordMask, WordSwap
from graft.spec.registry import build

PAD, BEGIN, END, HIDDEN = 0, 1, 2, 3
SIZE = 3000
DATA = TableData(path="/nowhere.csv", text="text", label="label")
TEXTS = 400
KINDS = [WordDropout, WordSwap, WordMask]


@pytest.fixture
def vocabulary() -> Vocabulary:
    """Even numbers begin a word, odd ones go on with it; those below 4 are special."""
    numbers = torch.arange(SIZE)
    return Vocabulary(numbers % 2 == 0, numbers < 0, numbers < 4, HIDDEN, "word")


def texts(words: int = 20, count: int = TEXTS) -> Tensor:
    """Each of `words` words of two pieces, all different: 4 5, 6 7, …"""
    pieces = torch.arange(4, 4 + 2 * words).expand(count, -1)
    return torch.nn.functional.pad(torch.nn.functional.pad(pieces, (1, 0), value=BEGIN), (0, 1), value=END)


def batch_of(ids: Tensor, length: int | None = None) -> Batch:
    ids = torch.nn.functional.pad(ids, (0, (length or ids.shape[1]) - ids.shape[1]), value=PAD)
    return Batch({"input_ids": ids, "attention_mask": (ids != PAD).long(), "token_type_ids": torch.zeros_like(ids)})


@pytest.fixture
def changed(vocabulary: Vocabulary) -> Callable[..., Batch]:
    def change(spec: WordAugmentation, batch: Batch, rows: np.ndarray | None = None, seed: int = 0) -> Batch:
        rows = np.arange(batch.size) if rows is None else rows
        return TextAugmenter(spec, build(spec, DATA), vocabulary, PAD).apply(batch, Draws.of_epoch(rows, seed, 1))

    return change


def tokens(batch: Batch) -> list[list[int]]:
    return [ids[mask > 0].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_stay_and_padding_is_padding(changed, kind) -> None:
    found = changed(kind(magnitude=0.5), batch_of(texts(), 60))
    assert {(one[0], one[-1]) for one in tokens(found)} == {(BEGIN, END)}
    assert found["input_ids"][found["attention_mask"] == 0].unique().tolist() in ([], [PAD])
    assert found["attention_mask"].sum(dim=1).max() == found["attention_mask"].shape[1]
    assert {tensor.shape for tensor in found.values()} == {found["input_ids"].shape}


@pytest.mark.parametrize("kind", [WordDropout, WordMask])
def test_so_many_words_are_changed_as_the_magnitude_says(changed, kind) -> None:
    found = changed(kind(magnitude=0.3), batch_of(texts()))
    left = [sum(one >= 4 for one in text) for text in tokens(found)]
    assert np.mean(left) / 40 == pytest.approx(0.7, abs=0.02)
    assert all(count % 2 == 0 for count in left), "the pieces of a word go together"


def test_dropout_keeps_the_order_of_what_stays(changed) -> None:
    for text in tokens(changed(WordDropout(magnitude=0.4), batch_of(texts()))):
        assert text[1:-1] == sorted(text[1:-1])
        assert all(first + 1 == second for first, second in zip(text[1:-1:2], text[2:-1:2], strict=True))


@pytest.mark.parametrize("kind", [WordDropout, WordMask])
def test_one_word_at_least_stays(changed, kind) -> None:
    found = changed(kind(magnitude=1.0), batch_of(texts(4)))
    assert {sum(one >= 4 for one in text) for text in tokens(found)} == {2}


def test_masking_hides_every_piece(changed) -> None:
    before, found = texts(), changed(WordMask(magnitude=0.3), batch_of(texts()))["input_ids"]
    assert found.shape == before.shape
    assert torch.equal(found[found != HIDDEN], before[found != HIDDEN])


def test_a_swap_loses_nothing_and_moves_whole_words(changed) -> None:
    found = tokens(changed(WordSwap(magnitude=0.3), batch_of(texts())))
    for text in found:
        assert sorted(text[1:-1]) == list(range(4, 44))
        assert all(one % 2 == 0 and two == one + 1 for one, two in zip(text[1:-1:2], text[2:-1:2], strict=True))
    moved = np.mean([[one != place for place, one in enumerate(text[1:-1], 4)] for text in found])
    assert 0.2 < moved < 0.3, "those that take part, but for the few whose place is their own"


def test_a_swap_leaves_a_special_token_in_the_middle_where_it_is(changed) -> None:
    ids = torch.cat([texts(6)[:, :5], torch.full((TEXTS, 1), END), texts(6)[:, 5:]], dim=1)
    found = changed(WordSwap(magnitude=0.9), batch_of(ids))["input_ids"]
    assert (found[:, 5] == END).all()
    assert (found != ids).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_becomes_the_same_in_any_company(changed, kind) -> None:
    spec, rows = kind(magnitude=0.4), np.array([7, 3, 900])
    together = tokens(changed(spec, batch_of(texts(count=3), 64), rows))
    for place, row in enumerate(rows):
        assert tokens(changed(spec, batch_of(texts(count=1)), rows[place : place + 1])) == [together[place]], row
    assert together != tokens(changed(spec, batch_of(texts(count=3), 64), rows, seed=1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_of_the_texts_is_changed_and_the_others_stay(changed, kind) -> None:
    found = tokens(changed(kind(magnitude=0.5, share=0.25), batch_of(texts())))
    assert np.mean([text != texts()[0].tolist() for text in found]) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_short_texts_and_empty_ones_stay(changed, kind) -> None:
    batch = batch_of(texts(3, count=4))
    assert tokens(changed(kind(magnitude=1.0), batch)) == tokens(batch)
    empty = batch_of(torch.tensor([[BEGIN, END], [PAD, PAD]]))
    assert tokens(changed(kind(magnitude=1.0, min_words=1), empty)) == [[BEGIN, END], []]
    assert tokens(changed(kind(magnitude=0.9, min_words=2), batch)) != tokens(batch)


def test_the_batch_that_is_given_is_not_changed(changed) -> None:
    for kind in KINDS:
        batch = batch_of(texts())
        changed(kind(magnitude=0.9), batch)
        assert torch.equal(batch["input_ids"], texts())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nothing", [{"magnitude": 0.0}, {"share": 0.0}])
def test_what_changes_nothing_is_none(kind, nothing) -> None:
    assert kind(**nothing).num_views == 0
    assert kind(**nothing).simplest().kind == "none"
    assert kind(views=3).num_views == 3


def test_masking_without_a_token_for_it_is_refused() -> None:
    given = TextPreprocessing(
        tokenizer="0", tokenizer_of="nameless", column="tokens_0", max_tokens=8, pad_token=0, inputs=("input_ids",)
    )
    tokenizer = b'{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}, "added_tokens": []}'
    with pytest.raises(SpecError) as error:
        text_augmenter(WordMask(), DATA, given, tokenizer)
    assert str(error.value) == (
        "strategy.augment: is word_mask, but the tokenizer of backbone `nameless` has no token that masks; take "
        "word_dropout or word_swap"
    )
    assert text_augmenter(WordDropout(), DATA, given, tokenizer) is not None

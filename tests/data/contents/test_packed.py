"""Texts and bytes in one buffer are like a list of them."""

import pickle

import pytest

from graft.data.contents.packed import Packed, Texts

TEXTS = ["", "a", "Käse", "名前", "line\nbreak", "half \udcff of a name", "\U0001f600"]


def test_texts_are_like_a_list():
    texts = Texts(TEXTS[:2])
    texts.extend(TEXTS[2:])
    assert list(texts) == TEXTS
    assert texts == tuple(TEXTS)
    assert (texts[-1], texts[1:3], len(texts), texts.index("名前")) == (TEXTS[-1], TEXTS[1:3], 7, 3)
    assert texts != [*TEXTS[:-1], "x"]
    assert pickle.loads(pickle.dumps(texts)) == TEXTS
    with pytest.raises(IndexError):
        texts[7]


def test_pieces_take_little_more_than_their_bytes():
    pieces = Packed(b"%06d" % row for row in range(10_000))
    assert (pieces[0], pieces[-1]) == (b"000000", b"009999")
    assert len(pickle.dumps(pieces)) < 10_000 * 16

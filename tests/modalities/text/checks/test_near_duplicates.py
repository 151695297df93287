import numpy as np
import pytest

from graft.modalities.text.checks.near_duplicates import BINS, near_pairs, shingles, signatures, similarity

WORDS = np.array(
    [f"{a}{b}{c}" for a in "brstk" for b in ("ain", "one", "ild", "ush", "eam") for c in ("", "er", "ing", "ly")]
)


def document(seed: int, length: int = 60) -> list[str]:
    return list(np.random.default_rng(seed).choice(WORDS, length))


def linked(texts: list[str]) -> set[tuple[int, int]]:
    return {(int(one), int(other)) for one, other in near_pairs(signatures(texts), lambda row: texts[row])}


def test_signatures_estimate_the_similarity() -> None:
    for changed in (0, 3, 10, 30):
        words = document(1)
        other = [*document(2)[:changed], *words[changed:]]
        one, two = " ".join(words), " ".join(other)
        first, second = signatures([one, two])
        assert (first == second).mean() == pytest.approx(similarity(one, two), abs=0.13)


def test_changed_texts_are_found_and_others_are_not() -> None:
    texts = [" ".join(document(seed)) for seed in range(100)]
    for seed in range(0, 100, 10):
        words = document(seed)
        del words[7], words[21]
        words[30] = "the"
        texts.append(" ".join(words))
    assert linked(texts) == {(seed, 100 + seed // 10) for seed in range(0, 100, 10)}


def test_case_and_white_space_do_not_count() -> None:
    assert linked(["The quick brown fox jumps", "  the QUICK\n\nbrown fox\tjumps "]) == {(0, 1)}


def test_many_equal_texts_are_linked_without_all_pairs() -> None:
    found = linked(["the same sentence again and again"] * 200)
    assert 199 <= len(found) < 2000


@pytest.mark.parametrize("text", ["", "a", "ab", "\ud800 lonely", "👩‍👩‍👧"])
def test_texts_of_nearly_nothing_have_signatures(text: str) -> None:
    assert len(shingles(text)) >= 1
    assert signatures([text]).shape == (1, BINS)
    assert signatures([]).shape == (0, BINS)

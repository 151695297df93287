import numpy as np

from graft.data.splits.hashed import parts_by_place, places_of

SHARES = (0.6, 0.25, 0.15)
KEYS = [f"row {row}".encode() for row in range(4000)]


def test_shares_are_near_and_appended_rows_move_no_other():
    parts = parts_by_place(places_of(KEYS, 0, "split"), SHARES)
    np.testing.assert_allclose(np.bincount(parts) / len(KEYS), SHARES, atol=0.02)
    reordered = places_of([b"new", *reversed(KEYS)], 0, "split")
    np.testing.assert_array_equal(parts_by_place(reordered, SHARES)[1:][::-1], parts)


def test_a_larger_test_set_takes_nothing_away_from_the_smaller_one():
    places = places_of(KEYS, 0, "split")
    small, large = (parts_by_place(places, (0.8 - test, 0.2, test)) for test in (0.1, 0.2))
    assert np.all(large[small == 2] == 2)


def test_seed_and_purpose_have_places_of_their_own():
    places = [places_of(KEYS, seed, purpose) for seed, purpose in ((0, "split"), (1, "split"), (0, "limit"))]
    assert all(abs(np.corrcoef(places[0], other)[0, 1]) < 0.05 for other in places[1:])


def test_without_a_test_all_are_of_the_two_others():
    assert set(parts_by_place(places_of(KEYS, 0, "split"), (0.8, 0.2)).tolist()) == {0, 1}
    assert set(parts_by_place(places_of(KEYS, 0, "split"), (1.0,)).tolist()) == {0}

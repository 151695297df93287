from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits
from tests.fixtures.examined import examined_of, permuted

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.doctor.checks.doubtful_labels import far_from_neighbours
from graft.doctor.examiner import Doctor, found_by_kind
from graft.spec.checks.clean import costly_kinds, kept_otherwise

DIGITS = load_digits()


def digits(share: float = 0.05) -> tuple[Examined, np.ndarray]:
    """The digits as an ingest leaves them, some labels wrong."""
    count, draw = 600, np.random.default_rng(1)
    pixels = (DIGITS.images[:count] * 15).astype(np.uint8)[..., None]
    labels = DIGITS.target[:count].astype(np.int64)
    wrong = draw.random(count) < share
    labels = np.where(wrong, (labels + draw.integers(1, 10, count)) % 10, labels)
    base = examined_of("image", count)
    digests = np.array([f"{row * 7919 % 104729:064x}" for row in range(count)], dtype=object)
    return replace(
        base, columns={"pixels": pixels}, targets=labels, names=tuple("0123456789"), digests=digests, _derived={}
    ), wrong


def suspicious(examined: Examined) -> Found:
    return next(one for one in found_by_kind(examined) if one.kind == "suspicious_label")


def test_wrong_labels_are_named_with_what_they_look_like() -> None:
    examined, wrong = digits()
    found = suspicious(examined)
    assert wrong[found.rows].mean() >= 0.6
    assert wrong[found.rows].sum() >= 0.8 * wrong.sum()
    given, right = examined.targets, DIGITS.target
    told = [
        found.reasons[row] == f"is labelled {given[row]}, but looks like {right[row]}"
        for row in found.rows.tolist()
        if wrong[row]
    ]
    assert np.mean(told) >= 0.8


def test_order_does_not_matter() -> None:
    examined, _ = digits()
    other = permuted(examined, np.random.default_rng(2).permutation(len(examined)))
    assert {examined.ids[row] for row in suspicious(examined).rows} == {
        other.ids[row] for row in suspicious(other).rows
    }


def test_a_run_makes_costly_checks_only_if_it_is_asked_to() -> None:
    examined, _ = digits()
    kinds = [{one.kind for one in found_by_kind(examined, clean)} for clean in ({}, {"suspicious_label": "keep"}, None)]
    assert ["suspicious_label" in one for one in kinds] == [False, True, True]
    assert "suspicious_label" in {one.kind for one in Doctor(thorough=True).examine(examined).findings}
    assert "outlier" not in costly_kinds()
    # A dataset that was made without that look is another one.
    assert kept_otherwise({"suspicious_label": "keep", "outlier": "keep"}) == {"suspicious_label": "keep"}


def test_what_is_far_from_all_is_an_outlier() -> None:
    draw = np.random.default_rng(0)
    centres = draw.normal(0, 1, (5, 32))
    features = centres[np.arange(400) % 5] + draw.normal(0, 0.1, (400, 32))
    features[7] = draw.normal(0, 3, 32)
    assert np.flatnonzero(far_from_neighbours(features)).tolist() == [7]

"""The benchmark's smallest run: explorations whose models are not good enough."""

import numpy as np
from tests.benchmarks.explore import KNOWING, Question, explored, wrongly_certified
from tests.fixtures.pools import Pool


def test_few_explorations_are_certified_wrongly() -> None:
    assert max(wrongly_certified(10).values()) <= 0.1


def test_labels_are_counted() -> None:
    points = Pool(count=300)
    question = Question.of(points.features, points.codes.astype(np.int64), 0)
    assert 10 <= question.labels_needed("typiclust_then_margin") <= 220


def test_whoever_knows_all_labels_needs_fewer_than_at_random() -> None:
    points = Pool(count=300, classes=8)
    codes = points.codes.astype(np.int64)
    questions = [Question.of(points.features, codes, seed) for seed in range(3)]
    told, drawn = ([one.labels_needed(kind) for one in questions] for kind in (KNOWING, "random"))
    assert sum(told) < sum(drawn)


def test_certificates_of_real_sets_are_held_against_samples_that_were_in_no_pool() -> None:
    points = Pool(count=700)
    codes = points.codes.astype(np.int64)
    by, required, truth = explored(points.features, codes, 0, 0.8, budget=200)
    assert (by, truth > required) == ("reached", True)
    by, required, truth = explored(points.features, codes, 0, 1.0, budget=60)
    assert by != "reached"
    assert 0 < truth < 1

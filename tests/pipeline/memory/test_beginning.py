"""What is known of a task before any of its samples has been read."""

import math
from dataclasses import replace

import pytest

from graft.data.overview import Overview
from graft.meta.task_embedding.similarity import UNVECTORED, similarity
from graft.pipeline.memory.beginning import entry_by_size, largest_value, lines_of
from graft.spec.load import parse_job

JOB = parse_job({"name": "x", "data": "digits", "training": {"epochs": 3}})
TEN = Overview("images", tuple("0123456789"), dict.fromkeys("0123456789", 100), {"train": 600, "validation": 200})


def test_sizes_say_how_alike_tasks_are_as_far_as_sizes_can() -> None:
    own = replace(entry_by_size(JOB, TEN), task="own")
    assert (own.rows, own.outputs, own.modality, own.task_kind) == (600, 10, "image", "classification")
    assert own.meta_features["balance"] == pytest.approx(1)
    many = replace(entry_by_size(JOB, replace(TEN, splits={"train": 60_000, "validation": 200})), task="many")
    uneven = replace(entry_by_size(JOB, replace(TEN, counts={**TEN.counts, "0": 1})), task="uneven")
    assert similarity(own, replace(own, task="other")) == UNVECTORED
    assert similarity(own, many) < similarity(own, uneven) < UNVECTORED


def test_values_have_no_counts() -> None:
    prices = Overview("rows", ("price",), {"price": {"min": 1.0, "mean": 2.0, "max": 9.5}}, {"train": 50})
    assert set(entry_by_size(JOB, prices).meta_features) == {"log_rows", "log_outputs", "log_rows_per_output"}


def test_an_error_in_units_is_no_larger_than_the_range_of_the_targets() -> None:
    ranges = {"stars": {"min": 1.0, "mean": 3.0, "max": 5.0}, "days": {"min": 0.0, "mean": 3.0, "max": 10.0}}
    reviews = Overview("rows", tuple(ranges), ranges, {"train": 50, "validation": 10})
    table = {"kind": "table", "path": "reviews.csv", "text": "text", "label": "stars"}
    job = parse_job({"name": "x", "data": table, "task": "regression", "search": {"metric": "mae"}})
    assert largest_value(job, reviews) == 7.0, "the mean, as the metric is"
    assert largest_value(job, replace(reviews, counts={})) == math.inf
    assert largest_value(JOB, TEN) == math.inf


def test_lines_name_the_end_that_is_expected_where_a_curve_is_known() -> None:
    curve = {"metric": "accuracy", "expected": [0.1, 0.5], "low": [0.0, 0.4], "high": [0.2, 0.6]}
    rows = [{"label": "a", "reason": "why", "curve": curve}, {"label": "b", "reason": "too", "curve": None}]
    rows += [{"label": "c", "reason": "", "curve": curve}, {"label": "d", "reason": "", "curve": None}]
    assert lines_of({"told": "all", "tasks": 2, "recommendations": rows}) == [
        "all",
        "1. a: why; accuracy 0.500 [0.400, 0.600] expected",
        "2. b: too",
        "3. c: accuracy 0.500 [0.400, 0.600] expected",
        "4. d",
    ]

"""A drafted job is a commented file that reads back as it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.pipeline.draft.draft_job import DraftJob
from graft.pipeline.draft.render import flow, render
from graft.spec.yaml_text import read_yaml

JOB: dict[str, Any] = {
    "version": 1,
    "name": "photos",
    "data": {"kind": "image_folder", "path": "a: b #c/'d'", "flip": "none", "validation": 0.2, "test": 0.2},
    "task": "classification",
    "strategy": {"lr": 1e-05, "augment": {"choice": ["none", {"kind": "light", "magnitude": 0.2}]}},
    "search": {"metric": "accuracy", "budget": {"trials": 16, "minutes": 30}},
}  # fmt: skip


def test_it_reads_back_as_it_was() -> None:
    text = render(DraftJob(JOB, "What photos\nshow.", {"task": "each folder\u2028is a class"}, ()))
    assert read_yaml(text).data == JOB
    lines = text.splitlines()
    assert lines[0].startswith("# What photos show. Written by `graft init`")
    assert "Each folder is a class." in text
    assert all(len(line) <= 140 for line in lines)


def test_every_key_has_a_comment() -> None:
    lines = render(DraftJob(JOB, "x", {}, ())).splitlines()
    keys = [number for number, line in enumerate(lines) if line.startswith("  ") and not line.startswith("  #")]
    assert len(keys) == len(JOB["data"]) + len(JOB["strategy"])
    assert [lines[number] for number in keys if "#" not in lines[number - 1]] == ["  kind: image_folder"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(texts)
def test_any_text_reads_back(text: str) -> None:
    assert read_yaml(f"key: {flow(text)}\n").data == {"key": text}


@given(st.dictionaries(st.text("abcxyz_", min_size=1, max_size=5), values, max_size=3))
def test_any_value_reads_back(value: dict[str, Any]) -> None:
    assert read_yaml(f"key: {flow(value)}\n").data == {"key": value}


@pytest.mark.parametrize(
    "word", ["yes", "No", "null", "1e3", "0x10", "~", "on", "", " a", "a ", "- a", "2020-01-01", "é"]
)
def test_words_that_yaml_takes_for_something_else_stay_texts(word: str) -> None:
    assert read_yaml(f"key: {flow(word)}\n").data == {"key": word}


def test_strategies_of_a_list_stand_on_lines_of_their_own() -> None:
    search = {"metric": "accuracy", "first": [{"freeze": 1.0, "head": "ridge"}, {"lr": 0.001}]}
    text = render(DraftJob({**JOB, "search": search}, "x", {}, ()))
    assert "\n    - {freeze: 1.0, head: ridge}\n    - {lr: 0.001}\n" in text
    assert read_yaml(text).data == {**JOB, "search": search}

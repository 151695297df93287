from pathlib import Path

import numpy as np
import pytest
from tests.assets.planted import Planted
from tests.fixtures.planted import diagnose, job_of

from graft.doctor.checks.column_faults import column_faults

DRAW = np.random.default_rng(0)
LABEL = ["yes" if number % 3 else "no" for number in range(300)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["same"] * 300, "constant_column"),
        ([None] * 300, "constant_column"),
        ([label.upper() for label in LABEL], "leaking_column"),
        ([label == "yes" for label in LABEL], "leaking_column"),
        ([(label == "yes") + DRAW.random() * 0.5 for label in LABEL], "leaking_column"),
        ([f"user-{number}" for number in range(300)], "identifier_column"),
        (list(range(300)), "identifier_column"),
        (list(DRAW.normal(size=300)), None),
        (list(DRAW.integers(0, 5, 300)), None),
        ([label if DRAW.random() < 0.8 else "no" for label in LABEL], None),
        ([f"some words of a text that is number {number}" for number in range(300)], None),
    ],
)
def test_a_column_has_the_fault_that_it_has(values: list[object], kind: str | None) -> None:
    assert [one.kind for one in column_faults({"column": values}, LABEL)] == ([kind] if kind else [])


def test_a_copy_of_another_column() -> None:
    values = list(DRAW.integers(0, 5, 300))
    (fault,) = column_faults({"first": values, "second": values}, LABEL)
    assert (fault.kind, fault.column, fault.told) == ("duplicate_column", "second", "has the values of `first`")


def test_a_number_that_is_the_label_by_another_measure() -> None:
    metres = list(DRAW.normal(size=300))
    assert [one.kind for one in column_faults({"feet": [one * 3.28 for one in metres]}, metres)] == ["leaking_column"]
    assert [*column_faults({"noise": list(DRAW.normal(size=300))}, metres)] == []


def test_the_columns_of_a_table_are_examined(tmp_path: Path) -> None:
    rows = ["text,label,split,source,outcome,id"]
    for number in range(120):
        label, split = "ab"[number % 2], "test" if number % 5 == 4 else "train"
        rows.append(f"text number {number * 7919},{label},{split},web,{label}!,id{number}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    (tmp_path / "scratch").mkdir()
    asked = {"leaking_column": "keep"}
    found = diagnose(job_of(Planted(tmp_path / "table.csv", {})), tmp_path / "scratch", asked)
    named = {kind: set(found.names[kind]) for kind in ("constant_column", "leaking_column", "identifier_column")}
    assert named == {"constant_column": {"source"}, "leaking_column": {"outcome"}, "identifier_column": {"id"}}

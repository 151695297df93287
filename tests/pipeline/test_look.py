"""The look at the data tells what the run is going to have."""

from pathlib import Path

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.listing import list_samples
from graft.data.overview import Overview
from graft.pipeline.look import overview_of
from graft.spec.job import Job
from graft.spec.load import parse_job


def job(**data: object) -> Job:
    return parse_job({"name": "x", "data": data})


def told(overview: Overview) -> tuple[object, ...]:
    return overview.noun, overview.names, dict(overview.counts), dict(overview.splits), overview.drawn, overview.ignored


@pytest.mark.parametrize("limit", [None, 400])
def test_the_digits_are_those_of_the_package(limit: int | None) -> None:
    given = job(kind="digits", validation=0.1, test=0.3, limit=limit)
    assert told(overview_of(given)) == told(overview_of(given, list_samples(given.data)))


@pytest.mark.parametrize("names", [None, ["a", "b", "c"]])
def test_idx_files_are_told_by_their_labels(idx_directory: Path, names: list[str] | None) -> None:
    given = job(kind="idx", path=str(idx_directory), classes=names)
    found = overview_of(given)
    assert told(found) == told(overview_of(given, list_samples(given.data)))
    assert (found.splits, found.drawn) == ({"train": 24, "validation": 6, "test": 9}, ("validation",))


def test_damaged_labels_are_told(idx_directory: Path, write_idx) -> None:
    write_idx(idx_directory / "t10k-labels-idx1-ubyte.gz", np.full(9, 7))
    with pytest.raises(DataError, match="has the label 7, which no training image has"):
        overview_of(job(kind="idx", path=str(idx_directory)))


def test_a_folder_is_told_as_it_is_listed(tmp_path: Path, image_folder) -> None:
    image_folder(tmp_path, {"train/cat": 5, "train/dog": 7, "test/cat": 2, "test/dog": 1, "test/.ipynb_checkpoints": 2})
    given = job(kind="image_folder", path=str(tmp_path))
    found = overview_of(given)
    assert told(found) == told(overview_of(given, list_samples(given.data)))
    assert [one.to_dict() for one in found.ignored] == [
        {
            "reason": "system folder",
            "count": 2,
            "examples": ["test/.ipynb_checkpoints/000.png", "test/.ipynb_checkpoints/001.png"],
        }
    ]


def test_many_links_to_nothing_end_it_before_the_run(tmp_path: Path, image_folder) -> None:
    image_folder(tmp_path, {"cat": 6, "dog": 6})
    (tmp_path / "cat" / "a.png").symlink_to("/gone/a.png")
    given = job(kind="image_folder", path=str(tmp_path))
    assert overview_of(given).counts == {"cat": 6, "dog": 6}
    (tmp_path / "cat" / "b.png").symlink_to("/gone/b.png")
    with pytest.raises(DataError, match=r"2 of 14 images .*cat/a.png.* data.max_unreadable allows 0.1; restore"):
        overview_of(given)


def test_many_rows_without_a_text_end_it_before_the_run(tmp_path: Path) -> None:
    rows = [f"{'  ' if n < 3 else f'text {n}'},{'ab'[n % 2]}" for n in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["text,y", *rows]))
    data = {"kind": "table", "path": str(tmp_path / "t.csv"), "text": "text", "label": "y"}
    given = parse_job({"name": "x", "data": data, "task": "classification"})
    with pytest.raises(DataError, match=r"3 of 20 texts in .*row without a text: 3 \(.*allows 0.1"):
        overview_of(given)
    more = parse_job({"name": "x", "data": {**data, "max_unreadable": 0.15}, "task": "classification"})
    assert [one.reason for one in overview_of(more).ignored] == ["row without a text"]


def test_targets_of_a_table_are_told_as_ranges(tmp_path: Path) -> None:
    rows = [f"text {n},{n / 4}" for n in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["text,y", *rows]))
    given = parse_job({
        "name": "x",
        "data": {"kind": "table", "path": str(tmp_path / "t.csv"), "text": "text", "label": "y"},
        "task": "regression",
    })  # fmt: skip
    found = overview_of(given)
    assert (found.names, found.splits) == (("y",), {"train": 24, "validation": 8, "test": 8})
    assert ("labels", "y (0 to 9.75)") in found.lines()

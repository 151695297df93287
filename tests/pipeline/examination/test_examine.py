"""A folder with one of everything that can be wrong is examined as it is."""

import csv
import html.parser
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.fixtures.dirty import PLANTED, dirty_folder

from graft.data.examination.finding import Finding
from graft.doctor.files import FILES, write_report
from graft.doctor.page import page
from graft.doctor.report import Report
from graft.pipeline.examination.examine import examine, unexamined
from graft.pipeline.resolve import resolve_job
from graft.spec.load import parse_job


def examined(path: Path, home: Path, **clean: str) -> Report:
    job = {"name": "job", "data": {"kind": "image_folder", "path": str(path), "clean": clean}}
    resolved = resolve_job(parse_job(job), by_size=False)
    return examine(unexamined(resolved.job, resolved.listing), home, lambda done, total: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dirty_folder(tmp_path_factory.mktemp("dirty") / "photos")


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return examined(folder, tmp_path_factory.mktemp("home"), split_leak="keep")


def of_kind(report: Report) -> dict[str, Finding]:
    return {one.kind: one for one in report.findings}


@pytest.mark.parametrize("kind", PLANTED)
def test_everything_planted_is_found_and_nothing_else(report: Report, kind: str) -> None:
    found = of_kind(report)[kind]
    # Of two copies either may be the one too many.
    names = {*found.examples, *found.twins} if kind in ("duplicate", "near_duplicate") else {*found.examples}
    assert names >= PLANTED[kind]
    assert found.count == len(PLANTED[kind])


def test_samples_are_counted_and_nothing_stays_behind(folder: Path, tmp_path: Path) -> None:
    found = examined(folder, tmp_path / "home")
    assert found.records == sum(1 for path in folder.rglob("*") if path.is_file())
    assert list((tmp_path / "home").iterdir()) == []
    assert sum(found.splits.values()) + len(found.quarantine) == found.records


def test_what_is_dropped_is_in_quarantine(folder: Path, tmp_path: Path) -> None:
    found = examined(folder, tmp_path, duplicate="drop", blank="drop", near_duplicate="drop")
    by_name = {one.path: one for one in found.quarantine}
    assert by_name["cat/blank.png"].kind == "blank"
    assert {one.kind for one in by_name.values()} == {"unreadable", "bomb", "blank", "duplicate", "near_duplicate"}
    assert all(one.reason for one in by_name.values())


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_needs_nothing_and_runs_nothing(report: Report) -> None:
    text = page(report)
    tags = _Tags()
    tags.feed(text)
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "iframe", "object", "a"}
    sources = [attributes["src"] for tag, attributes in tags.seen if tag == "img"]
    assert len(sources) > 10
    assert all(source and source.startswith("data:image/png;base64,") for source in sources)
    assert "cat/&lt;script&gt;.png" in text
    assert len(text) < 2_000_000
    for one in report.findings:
        assert f'id="{one.kind}"' in text


def test_all_files_say_the_same(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES}
    told = json.loads((tmp_path / "doctor.json").read_text())
    assert told["records"] == report.records
    assert [Finding.read(one) for one in told["findings"]] == list(report.findings)
    with (tmp_path / "quarantine.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    table = pq.read_table(tmp_path / "quarantine.parquet").to_pylist()
    assert len(rows) == len(table) == len(report.quarantine) == len(told["quarantine"])
    assert {row["sample"] for row in table} == {one.path for one in report.quarantine}


def test_names_are_no_formulas_of_a_spreadsheet(tmp_path: Path) -> None:
    from graft.data.dataset import Quarantined

    odd = (Quarantined("=1+1", "is empty"), Quarantined("a\nb\x1b[31m", "is\rempty"), Quarantined("\udcff.png", "x"))
    write_report(Report("x", "image", "", 3, {}, (), odd), tmp_path)
    with (tmp_path / "quarantine.csv").open() as stream:
        rows: list[dict[str, Any]] = list(csv.DictReader(stream))
    assert [row["sample"] for row in rows] == ["'=1+1", "a\\nb\\x1b[31m", "\\udcff.png"]


def test_data_that_a_run_could_not_split_are_examined(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "photos", 5)
    (folder / "lynx").mkdir()
    (folder / "cat" / "04.png").rename(folder / "lynx" / "only.png")
    found = examined(folder, tmp_path / "home")
    assert "a run would end here" in found.notes[0]
    assert "lynx" in of_kind(found)["tiny_class"].examples


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_many_samples_are_read_on_the_cluster_with_the_same_findings(
    folder: Path, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graft.pipeline.examination.examine.FEW", 5)
    found = examined(folder, tmp_path, split_leak="keep")
    assert [one.to_dict() for one in found.findings] == [one.to_dict() for one in report.findings]
    assert found.quarantine == report.quarantine

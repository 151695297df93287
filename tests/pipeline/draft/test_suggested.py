"""Columns that may be groups and times are in the job as comments, which become keys when `#` is taken away."""

from pathlib import Path

from graft.data.draft import Wish
from graft.pipeline.draft.draft_job import draft_job
from graft.pipeline.draft.render import render
from graft.spec.load import parse_job
from graft.spec.yaml_text import read_yaml


def test_a_table_of_visits(tmp_path: Path) -> None:
    notes = [f'"the {row}th note of a long visit, {"abc"[row % 3] * 3}"' for row in range(120)]
    rows = [f"{note},{row % 3 == 0},p{row // 4},2024-0{1 + row % 9}-01" for row, note in enumerate(notes)]
    (tmp_path / "visits.csv").write_text("\n".join(["note,label,patient_id,visit_date", *rows]))
    draft = draft_job(tmp_path / "visits.csv", Wish())
    assert draft.suggested == {"group": "patient_id", "time": "visit_date"}
    assert "perhaps: group: patient_id" in draft.summary
    text = render(draft)
    assert "group" not in read_yaml(text).data["data"]
    chosen = read_yaml(text.replace("  # group: patient_id", "  group: patient_id")).data
    assert parse_job(chosen).data.group == "patient_id"

"""`graft explore` on a small table of texts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graft.cli.main import app
from graft.core.errors import SpecError
from graft.models.load import check_backbone

needs_weights = pytest.mark.skipif(bool(check_backbone("minilm_l6")), reason="needs the weights")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    food = ("bread", "cheese", "soup", "apples", "rice", "cake", "tea", "plums")
    rows = [f"we ate {one} today,food" for one in food] + [f"the {one} train was late,travel" for one in food]
    path = tmp_path / "notes.csv"
    path.write_text("\n".join(["text,kind", *rows]))
    return path


@needs_weights
def test_a_table_with_its_labels_is_explored(table: Path, tmp_path: Path) -> None:
    asked = ["explore", str(table), "--oracle", "kind", "--budget", "14", "--home", str(tmp_path / "home"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1, "14 labels certify nothing"
    found = json.loads(done.stdout)
    assert {"labels", "audit_labels", "estimate", "interval", "certified", "stopped_by"} <= set(found)
    assert (found["labels"], found["stopped_by"], found["certified"]) == (14, "budget spent", False)
    assert Path(found["bundle"], "manifest.json").is_file()


@needs_weights
def test_a_person_answers_and_leaves(table: Path, tmp_path: Path) -> None:
    asked = ["explore", str(table), "--budget", "14", "--home", str(tmp_path / "home")]
    first = CliRunner().invoke(app, asked, input="food\n?\n\n")
    assert first.exit_code == 0, first.output
    assert "labels wanted" in first.output
    assert "2 labels" in first.output
    second = CliRunner().invoke(app, asked, input="travel\n\n")
    assert "3 labels" in second.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--require", "accuracy >= 1.0"], "never wrong"),
        (["--proposer", "guessing"], "must be one of typiclust_then_margin"),
        (["--labels", "a.csv", "--oracle", "kind"], "both given"),
    ],
)
def test_what_cannot_be_meant(table: Path, tmp_path: Path, options: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["explore", str(table), "--home", str(tmp_path), *options])
    assert isinstance(done.exception, SpecError)
    assert told in str(done.exception)

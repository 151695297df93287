"""`graft explore` on a small table of texts."""

import json
from pathlib import Path

import pytest
from PIL import Image
from tests.learner.mapped.test_meta_map import meta_model
from typer.testing import CliRunner

from graft.cli.jobs import explore
from graft.cli.main import app
from graft.core.errors import DataError, Interrupted, ResourceError, SpecError
from graft.journal.journal import Journal, journal_path
from graft.models.bundle import read_bundle
from graft.models.load import check_backbone
from graft.pipeline.exploration.pool import Wish, find_pool
from graft.spec.meta.starts import MapStart

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
    asked = ["explore", str(table), "--oracle", "kind", "--budget", "14", "--home", str(tmp_path / "home")]
    asked += ["--no-experiment", "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1, "14 labels certify nothing"
    found = json.loads(done.stdout)
    assert {"labels", "audit_labels", "estimate", "interval", "certified", "stopped_by"} <= set(found)
    assert (found["labels"], found["stopped_by"], found["certified"]) == (14, "budget spent", False)
    assert Path(found["bundle"], "manifest.json").is_file()
    assert "experiment" not in found


@needs_weights
def test_features_of_a_meta_model_are_named_and_no_others_are_gone_on_with(table: Path, tmp_path: Path) -> None:
    seen = find_pool(table, Wish()).embedding
    made = meta_model(tmp_path, MapStart(width=4), preprocessing=seen.preprocessing, network=seen.backbone())
    asked = ["explore", str(table), "--budget", "14", "--home", str(tmp_path / "home"), "--oracle", "kind"]
    asked += ["--no-experiment", "--json"]
    done = CliRunner().invoke(app, [*asked, "--set", f"strategy.init={{kind: meta, source: {made.directory}}}"])
    found = json.loads(done.stdout)
    assert "seen by minilm_l6, mapped by tiny, meta-learned on 0 classes; what is required" in done.stderr
    assert (found["init"]["kind"], found["init"]["width"]) == ("meta", 4)
    assert read_bundle(Path(found["bundle"])).spec.strategy.init.model_dump(mode="json") == found["init"]
    refused = CliRunner().invoke(app, asked).exception
    assert isinstance(refused, SpecError)
    assert f"init is pretrained, but exploration notes was begun with meta-model {made.digest[:12]}" in str(refused)


@needs_weights
@pytest.mark.slow
def test_it_ends_in_an_experiment_that_is_tested_on_the_test_samples_of_the_job(tmp_path: Path) -> None:
    food = ("bread", "cheese", "soup", "apples", "rice", "cake", "tea", "plums")
    kinds = [(f"we ate {one} today", "food") for one in food] + [
        (f"the {one} train was late", "travel") for one in food
    ]
    rows = [f"{text} {number},{kind},train" for text, kind in kinds for number in range(4)]
    rows += [f"{text} after all,{kind},test" for text, kind in kinds]
    (tmp_path / "notes.csv").write_text("\n".join(["text,kind,split", *rows]))
    job, home = tmp_path / "job.yaml", tmp_path / "home"
    data = f"{{kind: table, path: {tmp_path / 'notes.csv'}, text: text, label: kind, split: split}}"
    job.write_text(f"name: notes\ndata: {data}\nstrategy: {{backbone: minilm_l6}}\n")
    asked = ["explore", str(job), "--oracle", "labels", "--require", "accuracy >= 0.5", "--budget", "60"]
    asked += ["--home", str(home), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["stopped_by"], found["test_samples"], found["no_experiment"]) == ("reached", 16, None)
    assert found["test_interval"][0] <= found["test"] <= found["test_interval"][1]
    assert found["model_uri"] == "models:/notes@champion"
    kept = home / "experiments" / found["experiment"]
    for name in ("journal.jsonl", "report.json", "result.json", "leaderboard.json", "bundle/manifest.json"):
        assert (kept / name).is_file(), name
    assert json.loads((kept / "result.json").read_text())["tracking_complete"]
    answered = {one["sample"] for one in map(json.loads, _journal(home)) if one["kind"] == "LabelGiven"}
    assert len(answered) == found["labels"]
    assert not answered & {f"notes.csv:{row}" for row in range(len(rows) - 15, len(rows) + 1)}, "tests are in no pool"
    again = CliRunner().invoke(app, asked)
    assert json.loads(again.stdout) == found, "what has ended says so again"


def _journal(home: Path) -> list[str]:
    lines = (home / "explorations" / "notes" / "journal.jsonl").read_text().splitlines()
    return [line[line.index("{") : line.rindex("}") + 1] for line in lines if '"kind":"LabelGiven"' in line]


@needs_weights
def test_a_person_answers_and_leaves(table: Path, tmp_path: Path) -> None:
    asked = ["explore", str(table), "--budget", "14", "--home", str(tmp_path / "home")]
    first = CliRunner().invoke(app, asked, input="food\n?\n\n")
    assert first.exit_code == 0, first.output
    assert "labels wanted" in first.output
    assert "2 labels" in first.output
    second = CliRunner().invoke(app, asked, input="travel\n\n")
    assert "3 labels" in second.output


@needs_weights
def test_one_that_is_interrupted_says_that_it_goes_on(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explore, "_prompted", interrupt)
    done = CliRunner().invoke(app, ["explore", str(table), "--home", str(tmp_path / "home")])
    assert isinstance(done.exception, Interrupted)
    assert str(done.exception) == "interrupted; the answers are kept, and the same command goes on"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--require", "accuracy >= 1.0"], "never wrong"),
        (["--proposer", "guessing"], "must be one of herding, typiclust_then_margin"),
        (["--labels", "a.csv", "--oracle", "kind"], "--labels and --oracle are both given"),
        (["--page", "--oracle", "kind"], "--oracle and --page are both given"),
        (["--set", "data.limit=9"], "of a folder or table only keys of `strategy` can be set"),
    ],
)
def test_what_cannot_be_meant(table: Path, tmp_path: Path, options: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["explore", str(table), "--home", str(tmp_path), *options])
    assert isinstance(done.exception, SpecError)
    assert told in str(done.exception)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").write_bytes(b"no picture")
    return folder


@pytest.mark.skipif(bool(check_backbone("efficientnet_lite0")), reason="needs the weights")
def test_a_folder_of_unreadable_samples_alone_is_one_line(damaged: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["explore", str(damaged), "--home", str(tmp_path / "home")])
    assert isinstance(done.exception, DataError)
    assert "none of the 2 samples" in str(done.exception)
    assert "a.png" in str(done.exception)
    assert "\n" not in str(done.exception)


@needs_weights
def test_a_second_explorer_of_the_same_pool_is_one_line(table: Path, tmp_path: Path) -> None:
    asked = ["explore", str(table), "--budget", "14", "--home", str(tmp_path / "home")]
    assert CliRunner().invoke(app, asked, input="\n").exit_code == 0
    with Journal(journal_path(tmp_path / "home" / "explorations" / "notes")):
        done = CliRunner().invoke(app, asked, input="food\n\n")
    assert isinstance(done.exception, ResourceError)
    assert done.exception.exit_code == 3
    told = str(done.exception)
    assert "is being written by another process" in told
    assert "wait for it, or stop it" in told
    assert "\n" not in told


def test_a_file_of_labels_that_is_wrong_is_told_before_the_samples_are_read(table: Path, tmp_path: Path) -> None:
    labels = tmp_path / "answers.csv"
    asked = ["explore", str(table), "--labels", str(labels), "--home", str(tmp_path / "home")]
    for rows, told in ((None, "which does not exist; check the path"), ("id,label\nx,a\n", "which is not in the pool")):
        if rows is not None:
            labels.write_text(rows)
        done = CliRunner().invoke(app, asked)
        assert isinstance(done.exception, SpecError | DataError)
        assert told in str(done.exception)
        assert not (tmp_path / "home" / "explorations").exists()


def test_an_empty_pool_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    done = CliRunner().invoke(app, ["explore", str(tmp_path / "nothing"), "--home", str(tmp_path / "home")])
    assert isinstance(done.exception, DataError)
    assert "is an empty pool" in str(done.exception)
    assert "\n" not in str(done.exception)


@pytest.mark.skipif(bool(check_backbone("efficientnet_lite0")), reason="needs the weights")
def test_what_is_no_sample_is_told(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (8, 8), (number * 20, 90, 60)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.doc").write_bytes(b"x")
    asked = ["explore", str(tmp_path), "--home", str(tmp_path / "home"), "--budget", "12"]
    done = CliRunner().invoke(app, [*asked, "--json"], input="\n")
    assert "left out: suffix .doc: 1 (notes.doc)" in done.stderr
    assert json.loads(done.stdout)["ignored"] == [{"reason": "suffix .doc", "count": 1, "examples": ["notes.doc"]}]

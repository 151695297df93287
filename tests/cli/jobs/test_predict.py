import contextlib
import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from graft.core.storage import Home


def test_json_gives_every_class_of_every_image(graft, bundle, photo):
    done = graft("predict", bundle, photo, photo, "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert done.json["model"] == str(bundle)
    assert len(done.json["predictions"]) == 2
    one = done.json["predictions"][0]
    assert (one["source"], one["error"]) == (str(photo), None)
    assert set(one["probabilities"]) == {"cat", "dog", "emu", "fox"}
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert one["probability"] == max(one["probabilities"].values()) == one["probabilities"][one["label"]]


def test_the_text_shows_the_three_best(graft, bundle, photo):
    one = graft("predict", bundle, photo, "--json").json["predictions"][0]
    best = sorted(one["probabilities"].items(), key=lambda item: -item[1])[:3]
    expected = ", ".join(f"{name} ({value:.3f})" for name, value in best)
    assert graft("predict", bundle, photo).out == f"{photo}: {expected}\n"


def test_a_folder_and_a_table_are_expanded(graft, bundle, photo):
    table = photo.with_name("list.csv")
    table.write_text("image,note\nphoto.png,a\nphoto.png,b\n")
    assert len(graft("predict", bundle, photo.parent, table, "--json").json["predictions"]) == 3


def test_what_a_folder_holds_beside_its_samples_is_told_in_a_line(graft, bundle, photo):
    for name in ("notes.txt", "more.txt", ".hidden.png", "Thumbs.db"):
        photo.with_name(name).write_text("x")
    photo.with_name("gone").symlink_to("nowhere")
    done = graft("predict", bundle, photo.parent)
    assert (done.exit_code, done.out.count("\n")) == (0, 1)
    told = "suffix .txt: 2 (more.txt, notes.txt); dangling link: 1 (gone); hidden: 1 (.hidden.png)"
    assert done.err == f"left out: {told}; system file: 1 (Thumbs.db)\n"
    ignored = graft("predict", bundle, photo.parent, "--json").json["ignored"]
    assert ignored[0] == {"reason": "suffix .txt", "count": 2, "examples": ["more.txt", "notes.txt"]}
    assert "ignored" not in graft("predict", bundle, photo, "--json").json


def test_a_folder_of_foreign_files_alone_is_refused_with_their_suffixes(graft, bundle, tmp_path):
    for name in ("a.txt", "b.mp4", ".c.png"):
        (tmp_path / name).write_text("x")
    done = graft("predict", bundle, tmp_path)
    assert (done.exit_code, done.out) == (2, "")
    told = "hidden: 1 (.c.png); suffix .mp4: 1 (b.mp4); suffix .txt: 1 (a.txt)"
    assert done.err == f"graft: {tmp_path} holds no image (left out: {told}); name a folder that does\n"


def test_an_unreadable_image_is_told_and_the_others_are_answered(graft, bundle, photo):
    bad = photo.with_name("bad.png")
    bad.write_text("hello")
    done = graft("predict", bundle, bad, photo)
    assert done.exit_code == 2
    assert done.out.splitlines()[0] == f"{bad}: is text, but must be an image (JPEG, PNG, WEBP, BMP, GIF, TIFF)"
    assert done.out.splitlines()[1].startswith(f"{photo}: ")


def test_an_unreadable_image_in_json_is_one_object(graft, bundle, photo):
    bad = photo.with_name("bad.png")
    bad.write_bytes(b"")
    done = graft("predict", bundle, bad, photo, "--json")
    assert done.exit_code == 2
    first, second = done.json["predictions"]
    assert first == {"source": str(bad), "probabilities": {}, "error": "is empty"}
    assert set(second) == {"source", "label", "probability", "probabilities", "error"}
    assert second["error"] is None


def test_missing_files_are_all_told_before_a_model_is_loaded(graft, photo, tmp_path):
    done = graft("predict", "no_such_model", tmp_path / "a.png", photo, tmp_path / "b.png")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"graft: {tmp_path / name} does not exist; name a file, a folder or a table" for name in ("a.png", "b.png")
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("https://example.com/a.png", "https:/example.com/a.png is an address, but only files of this machine"),
        ("s3://bucket/a.png", "s3:/bucket/a.png is an address, but only files of this machine are predicted"),
        ("x" * 300, "does not exist; name a file, a folder or a table"),
    ],
)
def test_what_cannot_be_a_file_is_told(graft, bundle, name, told):
    done = graft("predict", bundle, name)
    assert (done.exit_code, done.err.count("\n")) == (2, 1)
    assert told in done.err


def test_a_table_without_rows_is_not_passed_over_in_silence(graft, bundle, tmp_path):
    (tmp_path / "none.csv").write_text("image\n")
    done = graft("predict", bundle, tmp_path / "none.csv")
    assert (done.exit_code, done.out) == (2, "")
    assert "none.csv holds no rows, but must hold some beside its header" in done.err


@pytest.mark.usefixtures("home")
def test_a_database_that_is_not_there_is_not_made_to_look_into(graft, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/no/such.db")
    done = graft("predict", "models:/x", photo)
    assert (done.exit_code, (tmp_path / "no").exists()) == (2, False)
    assert f"{tmp_path}/no/such.db is not there; correct it, or unset it" in done.err


@pytest.mark.usefixtures("home")
def test_the_path_of_a_model_that_is_not_there_is_told_as_a_path(graft, photo):
    for model in ("no/such/bundle", "~no-such-user/bundle"):
        done = graft("predict", model, photo)
        assert done.exit_code == 2
        assert done.err.startswith(f"graft: {model} does not exist; name the directory of a bundle, an experiment or a")


def test_a_directory_that_is_no_bundle_is_told(graft, photo):
    done = graft("predict", photo.parent, photo)
    assert done.exit_code == 2
    assert done.err.startswith(f"graft: {photo.parent} is not a bundle (no manifest.json in it), nor an experiment of ")
    assert "name a bundle" in done.err


@pytest.mark.usefixtures("home")
def test_an_unknown_model_is_told(graft, photo):
    done = graft("predict", "nope", photo)
    assert done.exit_code == 2
    assert "`nope`" in done.err


def test_a_registered_model_that_is_not_there_is_told_with_those_that_are(graft, home, photo):
    (database := Home(home).database).parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE registered_models (name TEXT)")
        connection.execute("CREATE TABLE model_versions (name TEXT, version INTEGER, current_stage TEXT)")
        connection.execute("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER)")
        connection.execute("INSERT INTO registered_models VALUES ('digits')")
    done = graft("predict", "models:/digts", photo)
    assert (done.exit_code, done.out) == (2, "")
    store = Home(home).tracking_uri
    told = f"tracking store {store} has no model `digts`; did you mean `digits`?"
    assert done.err == f"graft: model is `models:/digts`, but {told}\n"


@pytest.mark.usefixtures("home")
def test_a_server_that_does_not_answer_is_told(graft, photo, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = graft("predict", "models:/digits", photo)
    assert (done.exit_code, done.out) == (1, "")
    told = "tracking store http://127.0.0.1:9 does not answer; start it, or correct MLFLOW_TRACKING_URI"
    assert done.err.splitlines()[-1] == f"graft: {told}"


def test_an_experiment_without_a_bundle_says_how_to_finish_it(graft, make_experiment, photo):
    experiment = make_experiment([])
    done = graft("predict", "digits", photo)
    assert done.exit_code == 1
    assert done.err == (
        f"graft: experiment {experiment.name} has no bundle; finish it with `graft resume {experiment.name}`\n"
    )


def test_an_experiment_means_its_bundle(graft, make_experiment, bundle, photo):
    experiment = make_experiment([])
    experiment.bundle.symlink_to(bundle)
    assert graft("predict", "digits", photo).out == graft("predict", bundle, photo).out


def test_an_experiment_is_found_beside_the_folder_of_its_data(
    graft, make_experiment, bundle, photo, tmp_path, monkeypatch
):
    """`graft init photos` and `graft run photos.yaml` leave both under one name."""
    make_experiment([]).bundle.symlink_to(bundle)
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert graft("predict", "digits", photo).out == graft("predict", bundle, photo).out


def test_a_damaged_bundle_is_told(graft, bundle, photo, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    with (copy / "weights.safetensors").open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(b"oops")
    done = graft("predict", copy, photo)
    assert (done.exit_code, done.out) == (1, "")
    assert "weights.safetensors" in done.err
    assert "damaged" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_registered_model_that_is_not_there_makes_no_store(graft, home, photo):
    done = graft("predict", "models:/nope@champion", photo)
    assert done.exit_code == 2
    assert "nope" in done.err
    assert not home.exists()


def test_probabilities_shows_every_one(graft, bundle, photo):
    one = graft("predict", bundle, photo, "--json").json["predictions"][0]
    told = graft("predict", bundle, photo, "--probabilities").out
    assert all(f"{name} ({value:.3f})" in told for name, value in one["probabilities"].items())


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".CSV"])
@pytest.mark.parametrize("probabilities", [[], ["--probabilities"]])
def test_answers_go_to_a_file(graft, bundle, photo, tmp_path, suffix, probabilities):
    bad = photo.with_name("bad.png")
    bad.write_bytes(b"")
    output = tmp_path / f"answers{suffix}"
    done = graft("predict", bundle, photo, bad, "--output", output, *probabilities)
    assert done.exit_code == 2
    assert done.out == f"2 predictions in {output}, 1 without an answer\n"
    given = graft("predict", bundle, photo, bad, "--json").json["predictions"]
    first, second = read_answers(output)
    assert first["source"] == str(photo)
    assert (first["label"], first["probability"]) == (given[0]["label"], pytest.approx(given[0]["probability"]))
    assert (second["label"], second["error"]) == (None, "is empty")
    chances = first.get("probabilities") or {name[2:-1]: first[name] for name in first if name.startswith("p(")}
    assert chances == (pytest.approx(given[0]["probabilities"]) if probabilities else {})
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def read_answers(path):
    """The rows of a file of answers, with None for what is not there."""
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    if path.suffix.lower() in readers:
        rows = readers[path.suffix.lower()](path).astype(object)
        return rows.where(rows.notna(), None).to_dict("records")
    return [{"label": None, **json.loads(line)} for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("answers.xlsx", "has the suffix .xlsx, but must end in .csv, .parquet, .jsonl"),
        ("answers", "has no suffix, but must end in .csv"),
        ("folder.csv", "is a directory; name a file in it"),
        ("nowhere/answers.csv", "does not exist; make it first"),
    ],
)
def test_an_output_that_cannot_be_is_told_before_a_model_is_loaded(graft, photo, tmp_path, output, told):
    (tmp_path / "folder.csv").mkdir()
    done = graft("predict", "no_such_model", photo, "--output", tmp_path / output)
    assert (done.exit_code, done.out) == (2, "")
    assert told in done.err


def test_what_is_to_be_predicted_is_not_written_over(graft, photo):
    table = photo.with_name("new.csv")
    table.write_text("image\nphoto.png\n")
    done = graft("predict", "no_such_model", table, "--output", table.parent / "." / "new.csv")
    assert done.exit_code == 2
    assert "would be lost" in done.err
    assert table.read_text() == "image\nphoto.png\n"


def test_json_says_where_the_file_is(graft, bundle, photo, tmp_path):
    done = graft("predict", bundle, photo, "--output", tmp_path / "a.csv", "--json")
    assert done.json["output"] == str(tmp_path / "a.csv")
    assert len(done.json["predictions"]) == 1


def test_views_and_their_cost_are_told(graft, bundle, photo):
    done = graft("predict", bundle, photo, "--tta", 3, "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert set(done.json["tta"]) == {"views", "members", "ms_plain", "ms", "ms_first"}
    assert done.json["tta"]["views"] == 3
    assert "tta" not in graft("predict", bundle, photo, "--json").json
    assert graft("predict", bundle, photo, "--tta", 3).err.startswith("3 views a sample: ")
    assert graft("predict", bundle, photo, "--tta", 33).exit_code == 2

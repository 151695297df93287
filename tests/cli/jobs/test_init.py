"""`graft init`: a look at the data becomes a job file that is valid, or one line that says what is open."""

import csv
import json
import os
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from graft.spec.load import load_job, parse_job

WORDS = ["good", "bad", "so so"] * 8
STARS = [1, 3, 5] * 8
TEXTS = [f"I have bought number {row} of these and was glad" for row in range(24)]
ROWS = [{"review": text, "stars": stars} for text, stars in zip(TEXTS, STARS, strict=True)]

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, where job files are written."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def photos(tmp_path: Path) -> Write:
    """``photos({"cat": 6}, side=50)``: a folder of images for each name."""

    def write(classes: dict[str, int], side: int = 50, name: str = "photos") -> Path:
        rng = np.random.default_rng(0)
        for folder, count in classes.items():
            for number in range(count):
                path = tmp_path / name / folder / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (side, side + 9, 3), dtype=np.uint8)).save(path)
        return tmp_path / name

    return write


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """``table("r.csv", {"text": […], "label": […]})``."""

    def write(name: str, columns: dict[str, Sequence[Any]], encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        if path.suffix == ".parquet":
            parquet.write_table(pa.table(dict(columns)), path)
        elif path.suffix == ".jsonl":
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            with path.open("w", newline="", encoding=encoding) as file:
                writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
                writer.writerow(columns)
                writer.writerows(zip(*columns.values(), strict=True))
        return path

    return write


def refused(outcome: Any, *parts: str) -> None:
    assert (outcome.exit_code, outcome.out) == (2, ""), outcome
    assert len(outcome.err.splitlines()) == 1, outcome.err
    assert [part for part in parts if part not in outcome.err] == [], outcome.err


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.tsv", "reviews.jsonl", "reviews.parquet"])
def test_a_table_of_texts_in_every_form(graft: Any, table: Write, here: Path, name: str) -> None:
    path = table(name, {"review": TEXTS, "stars": STARS})
    done = graft("init", path)
    assert (done.exit_code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "reviews.yaml is written",
        "task: classification (`stars` holds 3 different values)",
        "data: 24 texts (14 train, 5 drawn for validation, 5 drawn for test)",
        "labels: 1 (8), 3 (8), 5 (8); 3 in all",
        "",
        "next:",
        "  graft plan reviews.yaml",
        "  graft run reviews.yaml",
    ]
    job = load_job(here / "reviews.yaml")
    assert (job.data.path, job.data.text, job.data.label) == (path, "review", "stars")  # type: ignore[attr-defined]
    assert (job.task.kind, job.search.metric, job.search.budget.minutes) == ("classification", "accuracy", 30)
    assert {"freeze", "lr"} <= set(job.strategy.distributions())
    assert job.strategy.values("max_tokens") == (64,)
    first = [strategy.dump() for strategy in job.search.first or ()]
    assert [one for place, one in enumerate(first) if one in first[:place]] == [], "each is tried once"
    assert (here / "reviews.yaml").read_text().startswith("# ")
    assert graft("validate", "reviews.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("labels", "task", "metric"),
    [
        (WORDS, "classification", "accuracy"),
        ([row * 1.25 for row in range(24)], "regression", "mae"),
        (["red;blue", "red", "blue;green", "green"] * 6, "multilabel", "map"),
    ],
    ids=["classification", "regression", "multilabel"],
)
def test_the_labels_decide_the_task(graft: Any, table: Write, labels: list[Any], task: str, metric: str) -> None:
    job = graft("init", table("t.csv", {"text": TEXTS, "y": labels}), "--json").json
    assert (job["task"], job["search"]["metric"]) == (task, metric)


def test_json_is_the_job_and_writes_nothing(graft: Any, photos: Write, here: Path) -> None:
    path = photos({"cat": 6, "dog": 6})
    done = graft("init", path, "--json")
    assert (done.exit_code, done.err, list(here.iterdir())) == (0, "", [])
    job = parse_job(done.json)
    assert done.json["data"] == {
        "kind": "image_folder", "path": str(path), "flip": "horizontal", "validation": 0.2, "test": 0.2
    }  # fmt: skip
    assert (done.json["name"], done.json["task"]) == ("photos", "classification")
    assert job.strategy.values("resolution") == (64,)
    assert graft("init", path, "--json", "--output", here / "x.yaml").json == done.json
    assert load_job(here / "x.yaml") == job


@pytest.mark.parametrize(("side", "resolution"), [(28, 32), (50, 64), (200, 128)])
def test_the_resolution_follows_the_images(graft: Any, photos: Write, side: int, resolution: int) -> None:
    job = graft("init", photos({"cat": 5, "dog": 5}, side), "--json").json
    assert job["strategy"]["resolution"] == resolution


def test_splits_of_folders_are_seen(graft: Any, photos: Write) -> None:
    path = photos({"train/cat": 6, "train/dog": 6, "test/cat": 3, "test/dog": 3})
    (path / "train" / "cat" / "notes.docx").write_text("x")
    out = graft("init", path).out
    assert "data: 18 images (" in out
    assert "6 test)" in out
    assert "left out: suffix .docx: 1 (" in out
    assert ".docx" in Path("photos.yaml").read_text()


def test_texts_in_folders(graft: Any, tmp_path: Path) -> None:
    for number in range(12):
        file = tmp_path / "mails" / ("ham" if number % 2 else "spam") / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"mail number {number} " + "word " * 300)
    job = graft("init", tmp_path / "mails", "--json").json
    assert (job["data"]["kind"], job["task"]) == ("text_folder", "classification")
    assert job["strategy"]["max_tokens"] == {"choice": [128, 256]}


def test_a_column_that_is_there_twice_does_not_matter_where_nobody_needs_it(graft: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"{text},{word},x,y\n" for text, word in zip(TEXTS, WORDS, strict=True))
    path.write_text(f"review,label,note,note\n{rows}")
    assert graft("init", path, "--json").json["data"]["label"] == "label"
    path.write_text(f"review,label,label,note\n{rows}")
    refused(graft("init", path), "has 2 columns `label`")
    path.write_text("review,price\n" + "".join(f"{text},{n or '#N/A'}\n" for n, text in enumerate(TEXTS)))
    refused(graft("init", path), "`price` (numbers, but for `#N/A`: correct that, or empty the cell)")


def test_a_table_of_images(graft: Any, photos: Write, table: Write) -> None:
    photos({"all": 12}, name=".")
    path = table("ages.csv", {"file": [f"all/{n}.png" for n in range(12)], "age": [n * 1.5 for n in range(12)]})
    job = graft("init", path, "--json").json
    assert (job["data"]["image"], job["data"]["label"], job["task"]) == ("file", "age", "regression")
    assert "text" not in job["data"]
    parse_job(job)


def test_images_that_lie_elsewhere_are_told_with_the_right_path(graft: Any, photos: Write, table: Write) -> None:
    photos({"pictures": 9}, name=".")
    path = table("ages.csv", {"file": [f"{n}.png" for n in range(12)], "age": [n * 1.5 for n in range(12)]})
    (path.parent / "pictures" / "0.png").rename(path.parent / "pictures" / "00.png")
    refused(graft("init", path), "column `file` of ages.csv names `0.png`, which is not there", "correct the column")


@pytest.mark.parametrize("name", ["https://example.org/{}.jpg", "file:///photos/{}.jpg", "/gone/{}.jpg", "C:\\{}.jpg"])
def test_a_file_that_is_not_there_is_named_as_the_table_has_it(graft: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / "ages.csv"
    path.write_text("file,age\n" + "".join(f"{name.format(row)},{row % 3}\n" for row in range(24)))
    refused(graft("init", path), f"names `{name.format(0)}`, which ")


@pytest.mark.parametrize("name", ["{n}.png", "{n}"])
def test_names_of_images_in_a_folder_beside_the_table(graft: Any, photos: Write, table: Write, name: str) -> None:
    photos({"train": 12}, name=".")
    columns = {"id": [name.format(n=n) for n in range(12)], "label": ["cat", "dog"] * 6}
    path = table("train.csv", columns)
    result = graft("init", path, "--output", "job.yaml")
    assert "12 images" in result.out
    assert "`id` has the names of files in `train`." in " ".join(Path("job.yaml").read_text().split())
    assert load_job("job.yaml").data.image == "id"
    assert "12 images" in graft("validate", "job.yaml").out


def test_a_table_beside_flat_images_names_their_labels(graft: Any, photos: Write, table: Write, tmp_path: Path) -> None:
    directory = photos({".": 12})
    path = table("photos/metadata.jsonl", {"file_name": [f"{n}.png" for n in range(12)], "label": ["a", "b", "c"] * 4})
    job = graft("init", directory, "--json").json
    assert (job["data"]["kind"], job["data"]["path"], job["name"]) == ("image_metadata", str(directory), "photos")
    path.rename(directory / "list.jsonl")
    job = graft("init", directory, "--json").json
    assert (job["data"]["path"], job["data"]["image"]) == (str(directory / "list.jsonl"), "file_name")
    photos({"images": 12}, name="set")
    table("set/labels.csv", {"file": [f"{n + 3}.png" for n in range(12)], "label": ["a", "b", "c"] * 4})
    told = ("nor can the table beside them be used", "names `3.png`, which is not there", "`images/3.png` in")
    refused(graft("init", tmp_path / "set"), *told)


def test_images_named_as_on_windows_are_found(graft: Any, photos: Write, table: Write) -> None:
    photos({"pictures": 12}, name=".")
    names = [f".\\pictures\\{n}.png" for n in range(11)] + [" pictures/11.png"]
    job = graft("init", table("ages.csv", {"file": names, "age": [n * 1.5 for n in range(12)]}), "--json").json
    assert job["data"]["image"] == "file"


def test_a_table_without_a_header_is_told(graft: Any, table: Write) -> None:
    path = table("t.csv", {TEXTS[0]: TEXTS, "good": WORDS})
    refused(
        graft("init", path), "begins with", "a value of that column further down too", "put a line such as `text,label`"
    )


def test_bytes_that_are_no_images_are_told(graft: Any, table: Write) -> None:
    path = table("t.parquet", {"review": [text.encode() for text in TEXTS], "label": WORDS})
    refused(graft("init", path), "the column of bytes holds no images that can be opened")


def test_an_archive_is_to_be_unpacked(graft: Any, tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK")
    refused(graft("init", tmp_path / "photos.zip"), "is an archive, which is not read as it is; unpack it (unzip)")


def test_the_splits_of_a_table_are_seen(graft: Any, table: Write) -> None:
    splits = ["train", "train", "train", "test"] * 6
    job = graft("init", table("t.csv", {"text": TEXTS, "label": WORDS, "part": splits}), "--json").json
    assert job["data"]["split"] == "part"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-be", "utf-8-sig"])
def test_the_encoding_is_seen(graft: Any, table: Write, encoding: str) -> None:
    path = table("t.csv", {"text": [f"{text} für Käse" for text in TEXTS], "label": WORDS}, encoding)
    job = graft("init", path, "--json").json
    assert job["data"].get("encoding", "utf-8-sig") == encoding
    parse_job(job)


def test_what_the_user_names_is_taken(graft: Any, table: Write, here: Path) -> None:
    path = table("t.csv", {"title": TEXTS, "abstract": TEXTS, "colour": WORDS, "size": STARS})
    refused(graft("init", path), "t.csv has 2 columns that may be the samples: `title`, `abstract`", "`--sample title`")
    refused(graft("init", path, "--sample", "title"), "may be the label: `colour`, `size`", "`--label colour`")
    assert list(here.iterdir()) == []
    options = ["--sample", "title", "--label", "size", "--set", "task=regression", "--output", "sizes.yaml"]
    done = graft("init", path, *options)
    assert done.exit_code == 0, done.err
    job = load_job(here / "sizes.yaml")
    assert (job.name, job.task.kind, job.data.label) == ("t", "regression", "size")  # type: ignore[attr-defined]
    refused(graft("init", path, "--sample", "titel"), "t.csv has no column `titel`", "did you mean `title`?")
    refused(graft("init", path, *options[:4], "--set", "task=regresion"), "regresion", "did you mean `regression`?")
    refused(graft("init", path, "--set", "data.kind=tables"), "--set data.kind: is `tables`", "did you mean `table`?")


def test_columns_that_bring_code_of_their_own_are_not_read(graft: Any, tmp_path: Path) -> None:
    kind = pa.opaque(pa.binary(), "thing", "stranger")
    strange = pa.ExtensionArray.from_storage(kind, pa.array([b"x"] * 24))
    parquet.write_table(pa.table({"odd": strange, "text": TEXTS, "label": WORDS}), tmp_path / "t.parquet")
    assert graft("init", tmp_path / "t.parquet", "--json").json["data"]["text"] == "text"
    parquet.write_table(pa.table({"text": strange, "label": WORDS}), tmp_path / "t.parquet")
    refused(graft("init", tmp_path / "t.parquet"), "`text` (of a type that is not read)")
    refused(graft("init", tmp_path / "t.parquet", "--sample", "text"), "extension type", "must be a plain one")


def test_a_disk_that_fills_leaves_no_part_of_a_job(graft: Any, photos: Write, here: Path) -> None:
    path = photos({"cat": 6, "dog": 6})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        done = graft("init", path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (done.exit_code, [*here.iterdir()]) == (3, [])
    assert "photos.yaml cannot be written" in done.err


def test_nothing_is_overwritten(graft: Any, photos: Write, here: Path) -> None:
    path = photos({"cat": 6, "dog": 6})
    (here / "photos.yaml").write_text("mine")
    refused(graft("init", path), "photos.yaml is there already, and graft init overwrites nothing", "--output")
    os.symlink("nowhere", here / "link.yaml")
    refused(graft("init", path, "--output", "link.yaml"), "link.yaml is there already")
    refused(graft("init", path, "--output", "no/x.yaml"), "no is no directory; make it")
    assert (here / "photos.yaml").read_text() == "mine"


def test_data_below_the_job_file_can_be_moved_with_it(graft: Any, photos: Write, tmp_path: Path) -> None:
    path = photos({"cat": 6, "dog": 6}, name="~a #b")
    graft("init", path, "--output", tmp_path / "job.yaml")
    assert load_job(tmp_path / "job.yaml").data.path == path  # type: ignore[attr-defined]
    done = graft("init", photos({"cat": 6, "dog": 6}, name="c d"), "--output", tmp_path / "c.yaml")
    assert '  path: "c d"\n' in (tmp_path / "c.yaml").read_text(), done.err


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.csv", None, "does not exist; name a directory or a table"),
        ("empty.csv", b"", "is empty, but must hold a table"),
        ("photo.heicx", b"PK", "ends in `.heicx`, but must end in one of .csv"),
        ("t.csv", b"a\nx\n", "has the one column `a`"),
        ("t.csv", b"good thing,5\nbad thing,1\n", "begins with `5`, which looks like a value"),
        ("t.csv", b"text,label\n", "holds no rows, but must hold some"),
        ("t.csv", b"text,label,label\na thing to read,1,2\n", "t.csv has 2 columns `label`, but must have one"),
        ("t.csv", b"text,label\nx,\x00\n", "NUL character"),
        ("t.jsonl", b"{\n", "line 1 begins what goes on in the next line"),
        ("t.jsonl", b"{]\n", "is no JSON"),
        ("t.parquet", b"PAR1 no", "is damaged or of another form"),
        ("t.csv", b"text,label\n" + b"some words to read,a\n" * 9 + b"other words to read,b\n" * 2, "class `b` has 2"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    graft: Any, tmp_path: Path, here: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(graft("init", tmp_path / name), told)
    assert list(here.iterdir()) == []


def test_an_address_is_told_what_to_do_with(graft: Any, here: Path) -> None:
    refused(graft("init", "s3://bucket/photos"), "s3://bucket/photos lies in a store, but a path of this machine is")


def test_an_empty_folder_and_one_of_other_things(graft: Any, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    refused(graft("init", tmp_path / "docs"), "holds nothing that graft can learn from")
    (tmp_path / "docs" / "a.pdf").write_bytes(b"%PDF")
    refused(
        graft("init", tmp_path / "docs"), "must hold folders of images or of .txt files", "have suffix .pdf: 1; save"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.xlsx", "save its sheet as CSV"),
        ("a.png", "name the folder it lies in"),
        ("a.pkl", "save it as Parquet"),
        ("a.json", "write one object in each line (.jsonl)"),
        ("a.pdf", "save the texts as .txt"),
        ("a.tar.gz", "unpack it (tar -xzf)"),
    ],
)
def test_a_file_that_is_not_read_is_told_what_to_do_with(graft: Any, tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    refused(graft("init", tmp_path / name), "not read as it is", told)
    refused(graft("doctor", tmp_path / name), "not read as it is", told)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ["a.wav", "x/b.wav", "c.csv.bak"],
            "have suffix .wav: 2, suffix .bak: 1; graft learns from pictures",
        ),
        (["scan1", "scan2"], "its files have no suffix: 2; give pictures and texts their suffix"),
        (["photos.zip", ".hidden", "__MACOSX/x.wav"], "its files have suffix .zip: 1; unpack it"),
    ],
)
def test_what_a_folder_holds_instead_is_told(graft: Any, tmp_path: Path, names: list[str], told: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    refused(graft("init", tmp_path), "holds nothing that graft can learn from", told)


def test_boxes_of_yolo_are_no_texts(graft: Any, photos: Write) -> None:
    path = photos({"cat": 6, "dog": 6})
    for folder in ("cat", "dog"):
        for number in range(6):
            (path / folder / f"{number}.txt").write_text("0 0.51 0.5 0.1 0.25\n12 .2 .3 0.1 1\n")
    refused(graft("init", path), "holds boxes of objects, as YOLO writes them (cat/0.txt)", "write a table of files")
    assert graft("init", path, "--set", "data.kind=image_folder", "--json").json["data"]["kind"] == "image_folder"


def test_of_several_tables_one_to_learn_from_is_named(graft: Any, table: Write, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name in ("sample_submission", "test", "train"):
        path = table(f"set/{name}.csv", {"text": TEXTS, "label": WORDS})
    refused(graft("init", tmp_path / "set"), "holds 3 tables", f"as in `graft init {path}`")


def test_the_only_table_of_a_folder_is_meant(graft: Any, table: Write, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    path = table("set/train.csv", {"text": TEXTS, "label": WORDS})
    assert graft("init", tmp_path / "set", "--json").json["data"]["path"] == str(path)
    table("set/test.csv", {"text": TEXTS, "label": WORDS})
    refused(graft("init", tmp_path / "set"), "holds 2 tables: `test.csv`, `train.csv`; name one, as in")


def test_images_and_texts_in_one_place_are_asked_back(graft: Any, photos: Write) -> None:
    path = photos({"cat": 6, "dog": 6})
    for folder in ("cat", "dog"):
        for number in range(6):
            (path / folder / f"{number}.txt").write_text("a caption of it")
    refused(
        graft("init", path), "12 samples of kind image_folder and 12 samples of kind text_folder", "--set data.kind="
    )
    assert graft("init", path, "--set", "data.kind=text_folder", "--json").json["data"]["kind"] == "text_folder"


def test_what_a_folder_may_mean_is_decided_by_the_user(graft: Any, photos: Write) -> None:
    path = photos({"train/cat": 6, "train/dog": 6, "extra/cat": 6, "extra/dog": 6})
    refused(graft("init", path), "data.ignore: [extra]", "data.layout: classes")
    job = graft("init", path, "--json", "--set", "data.ignore=[extra]").json
    assert job["data"]["ignore"] == ["extra"]
    assert set(parse_job(job).data.ignore) == {"extra"}  # type: ignore[attr-defined]
    job = graft("init", path, "--json", "--set", "data.layout=classes", "--set", "search.budget.minutes=3").json
    assert (job["data"]["layout"], job["search"]["budget"]["minutes"]) == ("classes", 3)
    refused(graft("init", path, "--set", "data.layout"), "must be a dotted key and a value")
    refused(graft("init", path, "--set", "version.x=3"), "--set version.x")


def test_a_pipe_named_as_an_image_does_not_hang(graft: Any, photos: Write) -> None:
    path = photos({"cat": 6, "dog": 6})
    os.mkfifo(path / "cat" / "a.png")
    assert graft("init", path, "--json").json["strategy"]["resolution"] == 64


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Meine Fotos", "meine-fotos"), ("Ünïcode", "unicode"), ("日本", "my-data"), ("-x-", "x"), ("a" * 90, "a" * 64)],
)
def test_names_become_names_of_jobs(graft: Any, photos: Write, folder: str, name: str) -> None:
    assert graft("init", photos({"cat": 4, "dog": 4}, name=folder), "--json").json["name"] == name


def test_a_folder_without_classes_is_told_as_a_run_would(graft: Any, photos: Write) -> None:
    path = photos({".": 6})
    refused(graft("init", path), "one folder of images for each class")


def test_a_job_is_printed_where_the_output_is_a_dash(graft: Any, table: Write, here: Path) -> None:
    path = table("r.csv", {"review": TEXTS, "stars": STARS})
    done = graft("init", path, "--output", "-")
    assert (done.exit_code, list(here.iterdir())) == (0, [])
    (here / "r.yaml").write_text(done.out)
    assert load_job(here / "r.yaml").name == "r"


def folder_of_texts(root: Path, contents: list[bytes]) -> Path:
    for place, content in enumerate(contents):
        path = root / "ab"[place % 2] / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_the_encoding_of_a_folder_of_texts_is_found(graft: Any, tmp_path: Path) -> None:
    texts = [f"un café noir numéro {row}" for row in range(12)]
    folder_of_texts(tmp_path / "set", [text.encode("utf-16") for text in texts])
    assert graft("init", tmp_path / "set", "--json").json["data"]["encoding"] == "utf-16"
    folder_of_texts(tmp_path / "set", [text.encode("cp1252") for text in texts])
    assert graft("init", tmp_path / "set", "--json").json["data"]["encoding"] == "cp1252"
    assert "note: `0.txt` is no UTF-8 text; it is read as cp1252" in graft("init", tmp_path / "set").out
    folder_of_texts(tmp_path / "set", [f"это длинный текст {row}".encode("cp1251") for row in range(12)])
    refused(graft("init", tmp_path / "set"), "a/0.txt is no UTF-8 text; by its letters it may be cp1251 (`это`)")
    said = ("--set", "data.encoding=cp1251", "--json")
    assert graft("init", tmp_path / "set", *said).json["data"]["encoding"] == "cp1251"
    assert graft("doctor", tmp_path / "set", *said).json["records"] == 12
    folder_of_texts(tmp_path / "set", [text.encode() for text in texts])
    assert "encoding" not in graft("init", tmp_path / "set", "--json").json["data"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00\xff", "is a zip archive or an office document (.docx, .xlsx), but must be plain"),
        (b" \n\t", "holds nothing but blanks"),
    ],
)
def test_a_folder_of_what_is_no_text_is_refused(graft: Any, tmp_path: Path, content: bytes, told: str) -> None:
    folder_of_texts(tmp_path / "set", [content] * 12)
    refused(graft("init", tmp_path / "set"), "6 of 6 texts that were looked into", told)

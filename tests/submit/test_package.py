"""What travels with a submission: the job as it was read here, and data that are small enough."""

import os
from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.spec.load import load_job, parse_job
from graft.submit import package
from graft.submit.package import code_to_ship, pack


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.png").write_bytes(label.encode())
    return tmp_path / "photos"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    return tmp_path / "package"


def job(path: Path | str, **more: object) -> object:
    return {"name": "mine", "data": {"kind": "image_folder", "path": str(path)}, **more}


def test_the_job_and_its_data_are_in_the_folder(photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(parse_job(job(photos), ["training.epochs=3"]), folder)  # type: ignore[arg-type]
    assert packed.data == "photos"
    assert (folder / "data" / "photos" / "dog" / "1.png").read_bytes() == b"dog"
    monkeypatch.chdir("/")
    read = load_job(folder / "job.yaml")
    assert read.training.epochs == 3
    assert read.data.path == folder / "data" / "photos"  # type: ignore[attr-defined]


def test_a_table_travels_as_a_file(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,x\n")
    table = {
        "name": "x",
        "data": {"kind": "table", "path": str(tmp_path / "rows.csv"), "text": "text", "label": "label"},
    }
    assert pack(parse_job(table), folder).data == "rows.csv"
    assert (folder / "data" / "rows.csv").is_file()


@pytest.mark.parametrize("given", [{"name": "x", "data": "digits"}, job("s3://bucket/photos")])
def test_what_lies_elsewhere_stays_there(folder: Path, given: object) -> None:
    packed = pack(parse_job(given), folder)  # type: ignore[arg-type]
    assert packed.data == ""
    assert [one.name for one in folder.iterdir()] == ["job.yaml"]


def test_data_of_the_cluster_stay_there(folder: Path) -> None:
    packed = pack(parse_job(job("/shared/photos")), folder, data_on_cluster=True)  # type: ignore[arg-type]
    assert packed.data == ""
    assert str(load_job(folder / "job.yaml").data.path) == "/shared/photos"  # type: ignore[attr-defined]


def test_data_that_are_not_here_are_refused(folder: Path) -> None:
    with pytest.raises(SpecError, match=r"data.path: is /nowhere, which is not on this machine.*--data-on-cluster"):
        pack(parse_job(job("/nowhere")), folder)  # type: ignore[arg-type]


def test_data_that_are_too_large_are_refused(photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MOST_DATA_BYTES", 5)
    with pytest.raises(SpecError, match="put it into a store"):
        pack(parse_job(job(photos)), folder)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []


def test_as_much_as_may_travel_travels(photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MOST_DATA_BYTES", 6)
    assert pack(parse_job(job(photos)), folder).data == "photos"  # type: ignore[arg-type]


def test_what_is_no_sample_stays_and_links_are_followed(photos: Path, folder: Path, tmp_path: Path) -> None:
    """Ray leaves out what a `.gitignore` names, wherever it lies: often all of a folder of data."""
    (tmp_path / "elsewhere.png").write_bytes(b"elsewhere")
    (photos / "cat" / "2.png").symlink_to(tmp_path / "elsewhere.png")
    (photos / "dog" / "2.png").symlink_to(tmp_path / "nowhere.png")
    (photos / "dog" / "back").symlink_to(photos)
    (photos / ".gitignore").write_text("*")
    os.mkfifo(photos / "dog" / "pipe")
    pack(parse_job(job(photos)), folder)  # type: ignore[arg-type]
    copied = {str(one.relative_to(folder)): one.read_bytes() for one in (folder / "data").rglob("*") if one.is_file()}
    assert copied == {
        "data/photos/cat/1.png": b"cat",
        "data/photos/cat/2.png": b"elsewhere",
        "data/photos/dog/1.png": b"dog",
    }


def test_a_folder_without_a_file_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    with pytest.raises(SpecError, match="which holds no file; name the data"):
        pack(parse_job(job(tmp_path / "photos")), folder)  # type: ignore[arg-type]


def test_the_digest_is_that_of_job_and_data(photos: Path, tmp_path: Path) -> None:
    def digest(name: str, **more: object) -> str:
        (tmp_path / name).mkdir()
        return pack(parse_job(job(photos, **more)), tmp_path / name).digest  # type: ignore[arg-type]

    first = digest("a")
    assert digest("b") == first
    assert digest("c", training={"epochs": 3}) != first
    (photos / "cat" / "2.png").write_bytes(b"more")
    assert digest("d") != first


def test_a_checkout_travels_along() -> None:
    code = code_to_ship()
    assert code is not None
    assert (code / "submit" / "package.py").is_file()

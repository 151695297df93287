"""Pools as users name them."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graft.core.errors import DataError, ResourceError, SpecError
from graft.models.load import check_backbone
from graft.pipeline.exploration.backbone import Embedding
from graft.pipeline.exploration.model import write_model
from graft.pipeline.exploration.pool import Wish, find_pool, read_pool
from graft.serving.predictor import Predictor


@pytest.fixture
def folder(shades: Path) -> Path:
    """With a picture that is none, and a copy of another."""
    (shades / "dark" / "broken.png").write_bytes(b"no picture")
    shutil.copy(shades / "dark" / "0.png", shades / "light" / "again.png")
    return shades


@pytest.mark.skipif(bool(check_backbone("efficientnet_lite0")), reason="needs the weights")
def test_a_folder_becomes_a_model_that_answers(folder: Path, tmp_path: Path) -> None:
    pool = find_pool(folder, Wish(oracle="folders"))
    assert pool.ids[0] == "dark/0.png"
    found = read_pool(pool, tmp_path / "reader", lambda done, of: None)
    assert list(found.left_out) == ["dark/broken.png", "light/again.png"]
    assert found.left_out["light/again.png"] == "is a copy of dark/0.png"
    assert (len(found.ids), len(found.features)) == (12, 12)
    truth = dict(zip(pool.ids, pool.truth or (), strict=True))
    labels = {row: str(truth[name]) for row, name in enumerate(found.ids)}
    write_model(tmp_path / "bundle", "shades", pool.embedding, found.features, labels)
    predictor = Predictor.from_directory(tmp_path / "bundle")
    answers = predictor.predict_files(folder / "light")
    assert [one.label for one in answers] == ["light"] * 6 + ["dark"]


def test_what_is_no_pool(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.pdf").write_bytes(b"")
    (tmp_path / "none.csv").write_text("text\n")
    wrong = {"nowhere": "does not exist", "empty": "is an empty pool", "notes.pdf": "is neither a folder"}
    for name, told in wrong.items():
        with pytest.raises((SpecError, DataError), match=told):
            find_pool(tmp_path / name, Wish())
    with pytest.raises(SpecError, match="of a folder it must be `folders`"):
        find_pool(tmp_path / "empty", Wish(oracle="label"))
    with pytest.raises((SpecError, DataError), match=r"no rows|empty pool"):
        find_pool(tmp_path / "none.csv", Wish())


def test_an_oracle_that_tells_nothing_apart_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="calls every sample `light`, but two classes are needed"):
        find_pool(folder / "light", Wish(oracle="folders"))
    (tmp_path / "t.csv").write_text("text,label\na b,x\nc d,x\n")
    with pytest.raises(SpecError, match="--oracle is `label`, which calls every sample `x`"):
        find_pool(tmp_path / "t.csv", Wish(oracle="label"))


def test_a_disk_that_is_full_before_anything_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")  # of a write, it names no file

    monkeypatch.setattr(Path, "write_bytes", full)
    modality: Any = SimpleNamespace(bundle_files=lambda *_: {"tokenizer.json": b"{}"})
    nothing: Any = None
    embedding = Embedding(nothing, nothing, modality, nothing)
    with pytest.raises(ResourceError, match=f"while writing {tmp_path / 'reader'}; free some"):
        embedding.features([], tmp_path / "reader", lambda done, of: None)

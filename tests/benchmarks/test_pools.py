"""Pictures of a set become class folders, and a job that `explore.py` reads."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.spec.load import load_job

HERE = Path(__file__).parent


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("pools")


def test_a_pool_is_class_folders_and_a_job(pools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Path, Path]] = []
    pictures = np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 1])
    monkeypatch.setattr(pools, "pictures_of", lambda *_: pictures)
    monkeypatch.setattr(pools, "write_features", lambda *paths: told.append(paths))
    target = pools.write_pool("clip_art", tmp_path, tmp_path / "sets")
    ((job, npz),) = told
    assert npz == target == tmp_path / "sets" / "clip_art.npz"
    loaded = load_job(job)
    assert (loaded.name, loaded.strategy.values("resolution")) == ("clip-art", (160,))
    found = sorted(one.relative_to(tmp_path / "sets").as_posix() for one in tmp_path.rglob("*.png"))
    assert found == ["clip_art/00/00000.png", "clip_art/01/00001.png", "clip_art/01/00002.png"]

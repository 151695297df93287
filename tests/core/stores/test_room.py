"""What a copy lets go."""

import os
import time
from pathlib import Path

import pytest
from tests.fixtures.homes import Node

from graft.core.errors import SpecError
from graft.core.stores.copy import bring, bring_tree, publish, publish_tree
from graft.core.stores.room import LIMIT, make_room

HOUR = 3600.0


def weights(root: Path, trial: str, size: int = 1000) -> Path:
    file = root / "experiments" / "digits" / "checkpoints" / trial / "best.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"w" * size)
    return file


def used(root: Path, file: Path, hours_ago: float) -> None:
    tag = root / ".tags" / f"{file.relative_to(root)}.json"
    os.utime(tag, (time.time() - hours_ago * HOUR,) * 2)


def look(root: Path) -> list[Path]:
    """`make_room` as if the copy, which has looked when it was opened, had not done so within the last minute."""
    (root / ".locks" / "room").unlink(missing_ok=True)
    return make_room(root)


def test_what_was_used_longest_ago_goes_first_and_comes_back(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = node("a", folder_home).root
    files = [weights(root, trial) for trial in ("t01", "t02", "t03")]
    for hours, file in zip((3, 5, 4), files, strict=True):
        publish(file)
        used(root, file, hours)
    monkeypatch.setenv(LIMIT, "0.0000015")
    assert look(root) == [files[1], files[2]]
    assert [file.exists() for file in files] == [True, False, False]
    assert bring(files[1]).read_bytes() == b"w" * 1000


def test_what_is_in_use_and_what_is_not_in_the_store_stays(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = node("a", folder_home).root
    fresh, unsent, changed = (weights(root, trial) for trial in ("t01", "t02", "t03"))
    publish(fresh)
    publish(changed)
    used(root, changed, 9)
    changed.write_bytes(b"newer")
    monkeypatch.setenv(LIMIT, "0")
    assert look(root) == []
    assert fresh.exists()
    assert unsent.exists()
    assert changed.exists()


def test_a_dataset_goes_as_a_whole(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = node("a", folder_home).root
    tree = root / "cache" / "datasets" / "key"
    tree.mkdir(parents=True)
    for name in ("values.npy", "manifest.json"):
        (tree / name).write_text(name)
    publish_tree(tree)
    used(root, tree / "manifest.json", 2)
    monkeypatch.setenv(LIMIT, "0")
    assert look(root)[0] == tree / "manifest.json"
    assert list(tree.iterdir()) == []
    assert len(list(bring_tree(tree, is_final=True).iterdir())) == 2


def test_it_looks_once_a_minute(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = node("a", folder_home).root
    file = weights(root, "t01")
    publish(file)
    used(root, file, 2)
    monkeypatch.setenv(LIMIT, "1")
    assert make_room(root) == []
    monkeypatch.setenv(LIMIT, "0")
    assert make_room(root) == []
    assert make_room(root, time.time() + 61) == [file]


def test_a_disk_that_is_nearly_full_is_enough(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = node("a", folder_home).root
    file = weights(root, "t01")
    publish(file)
    used(root, file, 2)
    usage = type("Usage", (), {"total": 10_000, "free": 500})
    monkeypatch.setattr("graft.core.stores.room.shutil.disk_usage", lambda path: usage)
    assert look(root) == [file]


def test_a_wrong_limit_is_told(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "many")
    with pytest.raises(SpecError, match="must be a number of GB"):
        make_room(node("a", folder_home).root)

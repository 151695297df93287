from pathlib import Path

import pytest

from graft.tracking.relay_files import Cursor
from graft.tracking.target import Target

HERE = Target("sqlite:////srv/x.db", "digits")


def test_it_survives(tmp_path: Path) -> None:
    Cursor(tmp_path / "cursor.json", HERE).move(12)
    assert Cursor(tmp_path / "cursor.json", HERE).offset == 12


def test_another_target_starts_at_the_beginning(tmp_path: Path) -> None:
    Cursor(tmp_path / "cursor.json", HERE).move(12)
    assert Cursor(tmp_path / "cursor.json", Target("http://host", "digits")).offset == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "target": "x"}'])
def test_a_damaged_cursor_starts_at_the_beginning(tmp_path: Path, content: str) -> None:
    tmp_path.joinpath("cursor.json").write_text(content)
    assert Cursor(tmp_path / "cursor.json", HERE).offset == 0

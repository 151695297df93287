"""Directories of files that hold a byte: what their names say is all that is looked at."""

from collections.abc import Callable
from pathlib import Path

import pytest

Grow = Callable[..., Path]


@pytest.fixture
def grow(tmp_path: Path) -> Grow:
    """Makes a directory: `grow("cat/%.png*3", "owl/", "kitty->cat")` has three files, an empty folder and a link."""

    def grow(*items: str, root: Path = tmp_path / "data") -> Path:
        root.mkdir(parents=True, exist_ok=True)
        for item in items:
            name, _, target = item.partition("->")
            name, _, count = name.partition("*")
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if target:
                (root / name).symlink_to(target)
            elif name.endswith("/"):
                (root / name).mkdir()
            else:
                for number in range(int(count or 1)):
                    path = root / name.replace("%", str(number))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("x")
        return root

    return grow

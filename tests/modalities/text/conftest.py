"""A tiny backbone in a folder."""

from pathlib import Path

import pytest
from tests.modalities.text.tiny_backbone import save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A BERT of four layers."""
    return save(tmp_path / "tiny bert")

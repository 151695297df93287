from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """Six dark and six light pictures, in a folder of each."""
    rng, root = np.random.default_rng(0), tmp_path / "shades"
    for name, level in (("dark", 40), ("light", 210)):
        (root / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.clip(rng.normal(level, 12, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root

"""Small real files for the tests of data."""

import gzip
import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Encode = Callable[..., bytes]
Folder = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture
def encode() -> Encode:
    """Encodes pixels: `encode(array, "JPEG", quality=90)`."""

    def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind, **options)
        return stream.getvalue()

    return encode


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Random pixels: `noise(height, width, 3, seed=1)`."""

    def noise(*shape: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return noise


@pytest.fixture
def image_folder(encode: Encode, noise: Callable[..., np.ndarray]) -> Folder:
    """Writes so many different PNG files into each folder: `image_folder(root, {"cat": 3, "dog": 4})`."""

    def write(root: Path, counts: Mapping[str, int]) -> Path:
        for seed, (name, count) in enumerate(sorted(counts.items())):
            (root / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                content = encode(noise(10, 14, 3, seed=1000 * seed + index))
                (root / name / f"{index:03}.png").write_bytes(content)
        return root

    return write


@pytest.fixture
def write_idx() -> Callable[..., None]:
    """Writes an IDX file; `shape` overrides what the header says: `write_idx(path, array, shape=(9, 9))`."""

    def write(path: Path, values: np.ndarray, shape: tuple[int, ...] | None = None, code: int = 8) -> None:
        sizes = values.shape if shape is None else shape
        header = bytes((0, 0, code, values.ndim)) + struct.pack(f">{len(sizes)}I", *sizes)
        content = header + values.astype(np.uint8).tobytes()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)

    return write


@pytest.fixture
def idx_directory(tmp_path: Path, write_idx: Callable[..., None], noise: Callable[..., np.ndarray]) -> Path:
    """Thirty training and nine test images of 6 x 5 pixels in three classes."""
    directory = tmp_path / "idx"
    directory.mkdir()
    for seed, (name, count) in enumerate({"train": 30, "t10k": 9}.items()):
        write_idx(directory / f"{name}-images-idx3-ubyte.gz", noise(count, 6, 5, seed=seed))
        write_idx(directory / f"{name}-labels-idx1-ubyte.gz", np.arange(count) % 3)
    return directory

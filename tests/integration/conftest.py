"""The command line in this process, and small folders of real images."""

import io
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.cli.main import main

Images = Callable[[Path, Mapping[str, int]], Path]


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        exit_code: of the process.
        out: standard output.
        err: standard error.
    """

    exit_code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """What graft says in the end: its lines of standard error, without those of the progress."""
        return [line.removeprefix("graft: ") for line in self.err.splitlines() if line.startswith("graft: ")]


@pytest.fixture
def graft(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command line as the console script does: `graft("validate", path)`."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["graft", *map(str, arguments)])
        capfd.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        captured = capfd.readouterr()
        return Outcome(int(str(code or 0)), captured.out, captured.err)

    return run


@pytest.fixture
def image_folder() -> Images:
    """Writes so many different images into each class's folder: `image_folder(root, {"cat": 3, "dog": 4})`."""

    def write(root: Path, counts: Mapping[str, int]) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(0)
        for name, count in counts.items():
            (root / name).mkdir()
            for number in range(count):
                pixels = random.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / name / f"{number:03}.png")
        return root

    return write


@pytest.fixture
def jpeg() -> bytes:
    """A photo of some kilobytes."""
    rows, columns = np.mgrid[:200, :300]
    stream = io.BytesIO()
    Image.fromarray(((rows * columns) % 251).astype(np.uint8)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture
def png_of() -> Callable[[int, int], bytes]:
    """A small PNG file whose header promises so many pixels: `png_of(50_000, 50_000)`."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def build(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        pixels = zlib.compress(bytes(100_000), 9)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

    return build


@pytest.fixture
def write_idx() -> Callable[..., None]:
    """Writes an IDX file whose header may lie: `write_idx(path, array, claimed=(99, 8, 8))`."""

    def write(path: Path, values: np.ndarray, claimed: tuple[int, ...] | None = None) -> None:
        shape = claimed or values.shape
        header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{len(shape)}I", *shape)
        path.write_bytes(header + values.astype(np.uint8).tobytes())

    return write

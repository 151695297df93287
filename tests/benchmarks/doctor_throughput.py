"""What an examination costs beside plain reading: images a second and CPU milliseconds an image, in this process.

Plain reading is decoding and resizing as an ingest does it. Examined is the same with what is seen in each image on the
way (hashes, brightness, the file's own words), and then all checks over all samples together. Photos are drawn: smooth
grounds with discs, saved as JPEG, of which one in fifty is a copy in another quality.

    python tests/benchmarks/doctor_throughput.py --images 4000 --pixels 224 --size 96

Target: examined ≥ half of plain, in images a second.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from reporting import json_line, provenance, table

from graft.data.examination.examined import Examined
from graft.doctor.examiner import Doctor
from graft.modalities.image.info import PIXELS
from graft.modalities.image.read import FileReader
from graft.modalities.image.storage import ImageDecoder, StoredImages

BLOCK = 256


@dataclass(frozen=True)
class Cost:
    """Seconds of wall-clock and of CPU."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any]) -> tuple[Any, Cost]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Cost(time.perf_counter() - wall, time.process_time() - cpu)


def draw_photos(where: Path, count: int, side: int) -> list[bytes]:
    """Names of JPEG files; every fiftieth is the one before it in another quality."""
    names = []
    for number in range(count):
        draw = np.random.default_rng(number - (number % 50 == 49))
        ground = Image.fromarray(draw.integers(0, 256, (9, 11, 3), dtype=np.uint8)).resize((side * 4 // 3, side), 3)
        values = np.array(ground).astype(np.int16)
        values += draw.integers(-6, 7, values.shape, dtype=np.int16)
        stream = BytesIO()
        quality = 60 if number % 50 == 49 else 90
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=quality)
        path = where / f"{number}.jpg"
        path.write_bytes(stream.getvalue())
        names.append(str(path).encode())
    return names


def read_all(names: list[bytes], size: int, looks: bool) -> list[Any]:
    decoder = ImageDecoder(FileReader(50_000_000), StoredImages(size), looks)
    return [decoder(names[start : start + BLOCK]) for start in range(0, len(names), BLOCK)]


def examine(blocks: list[Any]) -> Any:
    signs = {name: np.concatenate([block.signs[name] for block in blocks]) for name in blocks[0].signs}
    digests = np.array([one for block in blocks for one in block.digests], dtype="S64")
    count = len(digests)
    return Doctor().examine(
        Examined(
            ids=[f"{row}.jpg" for row in range(count)],
            digests=digests,
            targets=np.arange(count) % 10,
            names=tuple("abcdefghij"),
            splits=(np.arange(count) % 5 > 2).astype(np.uint8),
            movable=np.ones(count, bool),
            signs=signs,
            columns={PIXELS: np.concatenate([block.columns[PIXELS] for block in blocks])},
            modality="image",
            task="classification",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--pixels", type=int, default=224, help="short side of the files")
    parser.add_argument("--size", type=int, default=96, help="side that is stored")
    given = parser.parse_args()
    origin = provenance()
    with TemporaryDirectory() as name:
        names = draw_photos(Path(name), given.images, given.pixels)
        read_all(names[:BLOCK], given.size, True)  # warm
        costs: dict[str, list[Cost]] = {"plain": [], "signs": []}
        for _ in range(3):
            costs["plain"].append(timed(lambda: read_all(names, given.size, False))[1])
            blocks, cost = timed(lambda: read_all(names, given.size, True))
            costs["signs"].append(cost)
        found, checks = timed(lambda: examine(blocks))
    plain, signs = (min(one.cpu for one in costs[what]) for what in ("plain", "signs"))
    rows = [
        ["plain reading", plain / given.images * 1e3, given.images / plain, 1.0],
        ["and signs", signs / given.images * 1e3, given.images / signs, plain / signs],
        ["and checks", (signs + checks.cpu) / given.images * 1e3, given.images / (signs + checks.cpu),
         plain / (signs + checks.cpu)],
    ]  # fmt: skip
    print(table(["what", "CPU ms an image", "images a CPU second", "share of plain"], rows))
    findings = {one.kind: one.count for one in found.findings}
    print(
        json_line(
            "doctor_throughput",
            origin,
            {**vars(given), "plain_ms": rows[0][1], "signs_ms": rows[1][1], "all_ms": rows[2][1],
             "share_of_plain": rows[2][3], "findings": findings},
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()

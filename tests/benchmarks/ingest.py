"""How fast images are ingested: graft through Ray Data, beside a plain loop and torch's DataLoader, on the same files.

Four ways take turns over JPEG files in the page cache. `loop` decodes, shrinks, hashes and looks at every image in one
process, as the tasks of the ingest do; `ingest` is the whole of it, to a dataset on the disk; `pillow` decodes and
shrinks in one process and does nothing else; `loader` is a DataLoader with two processes that does as `pillow` does.
On a busy machine seconds say little, so that the ratios are of CPU seconds, of all processes together; medians.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ray
import torch
from photos import write_photos
from PIL import Image
from process_tree import cpu_seconds
from reporting import json_line, provenance, table
from torch.utils.data import DataLoader, Dataset

from graft.data.ingest import ingest
from graft.data.listing import list_samples
from graft.data.plan import Ingestion, plan_ingest
from graft.modalities.image.storage import ImageDecoder, StoredImages
from graft.spec.modalities.image import ImageFolderData
from graft.spec.tasks.classification import Classification
from graft.tasks.registry import build_task

LOOP, LOADER = 0.9, 1.0
"""What is wanted: images a CPU second of the ingest by those of the loop, and of the DataLoader."""


class Files(Dataset[torch.Tensor]):
    """Image files, shrunk to a square."""

    def __init__(self, files: list[str], side: int) -> None:
        self._files, self._side = files, side

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> torch.Tensor:
        return torch.from_numpy(shrunk(self._files[row], self._side))


def shrunk(file: str, side: int) -> np.ndarray:
    """The middle square of an image file, as a plain loop makes it."""
    with Image.open(file) as image:
        image.draft("RGB", (2 * side, 2 * side))
        rgb = image.convert("RGB")
    short = min(rgb.size)
    left, top = (rgb.width - short) // 2, (rgb.height - short) // 2
    box = (left, top, left + short, top + short)
    return np.array(rgb.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


def ways(folder: Path, side: int, cache: Path) -> dict[str, Callable[[], object]]:
    """What is measured, by name; each goes over all files once."""
    spec, stored, task = ImageFolderData(path=folder), StoredImages(side, 3), build_task(Classification())
    listing = list_samples(spec)
    decoder = ImageDecoder(listing.reader, stored)
    files = [source.decode() for source in listing.sources]
    loader = DataLoader(Files(files, side), batch_size=64, num_workers=2, persistent_workers=True)

    def ingested() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        plan = plan_ingest(listing, spec, task, stored.spec())
        ingest(Ingestion(plan, decoder, task, 0.0), cache)

    def loop() -> None:
        for start in range(0, len(files), 256):
            decoder(listing.sources[start : start + 256])

    return {
        "loop": loop,
        "ingest": ingested,
        "pillow": lambda: [shrunk(file, side) for file in files],
        "loader": lambda: sum(len(batch) for batch in loader),
    }


def measured(way: Callable[[], object], count: int) -> tuple[float, float]:
    """Images a second, and a CPU second."""
    spent, started = cpu_seconds(), time.perf_counter()
    way()
    return count / (time.perf_counter() - started), count / (cpu_seconds() - spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--side", type=int, default=72, help="of the stored squares")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for the images; a temporary one if left out")
    given, origin = parser.parse_args(), provenance()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_photos(given.folder or Path(scratch), given.images)
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        all_ways = ways(folder, given.side, Path(scratch) / "cache")
        for way in all_ways.values():
            way()  # the files are in the page cache, the processes are there
        rounds = [{name: measured(way, given.images) for name, way in all_ways.items()} for _ in range(given.rounds)]
    wall, cpu = ({n: statistics.median(one[n][which] for one in rounds) for n in all_ways} for which in (0, 1))
    rows = [[name, wall[name], cpu[name], cpu["ingest"] / cpu[name]] for name in all_ways]
    print(table(["way", "images/s", "images/CPU s", "ingest by it"], rows))
    found = {"loop": cpu["ingest"] / cpu["loop"], "loader": cpu["ingest"] / cpu["loader"]}
    met = found["loop"] >= LOOP and found["loader"] >= LOADER
    print(json_line("ingest", origin, {"wall": wall, "cpu": cpu, "ingest_by": found, "met": met}))
    sys.exit(not met)


if __name__ == "__main__":
    main()

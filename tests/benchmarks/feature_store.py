"""What storing a frozen network's features costs, what reading them costs, and how much memory building them takes.

Extraction: images a second of building features, with everything that belongs to it (normalising, Ray's transport,
files flushed to the disk, digests, the check on opening), against a bare loop of torch over the same network, images,
batch, threads and precision, which throws its results away. `whole` counts the start of Ray's actors and their
loading of the network; `steady` begins with the first batch that came back.
Reading: random rows in batches, from the store and from one `numpy.memmap` of the same numbers, both in the page cache.
Memory: peak resident memory of a process of its own that builds features of so many rows (the digits, again and again).
Run it on an idle machine, with no other Ray on it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from children import run_child
from reporting import json_line, provenance, table, usable_cpus
from torch import nn

from graft.data.feature_store.features import Extract, Features, Produce, in_process
from graft.data.feature_store.key import FeatureKey, weights_digest
from graft.data.feature_store.store import FeatureStore
from graft.modalities.image.transforms import preprocess
from graft.models.info import cut_index
from graft.models.load import load_backbone
from graft.spec.modalities.image import ImagePreprocessing

EXAMPLE = """example:
  python tests/benchmarks/feature_store.py --images 5000 --resolution 64 --repeats 3
"""
TARGET_EXTRACTION, TARGET_READING, TARGET_MEMORY = 0.9, 0.8, 0.1


@dataclass(frozen=True)
class Case:
    """What is computed.

    Attributes:
        backbone: name of the network.
        freeze: share of its depth that is computed.
        resolution: side of the images it sees.
        images: how many.
        batch: images computed at once.
    """

    backbone: str
    freeze: float
    resolution: int
    images: int
    batch: int

    def prefix(self) -> nn.Module:
        """The network up to the cut; pooled if that is its end. Channels last, as graft trains on a CPU."""
        loaded = load_backbone(self.backbone, self.resolution)
        cut = cut_index(self.freeze, loaded.info.num_blocks)
        ends = [loaded.backbone.pool] if cut == loaded.info.num_blocks else []
        parts = [loaded.backbone.stem, *loaded.backbone.blocks[:cut], *ends]
        return nn.Sequential(*parts).eval().to(memory_format=torch.channels_last)

    def preprocessing(self) -> ImagePreprocessing:
        """What the network wants of a digit."""
        half = (0.5, 0.5, 0.5)
        return ImagePreprocessing(stored_size=8, resolution=self.resolution, channels=1, mean=half, std=half)

    def key(self, network: nn.Module) -> FeatureKey:
        """Under which its features are stored."""
        cut = len(list(network.children())) - 1
        text = self.preprocessing().model_dump_json()
        return FeatureKey("digits", f"first {self.images}", text, None, weights_digest([network]), self.backbone, cut)

    def __call__(self) -> Extract:
        """Computes features of some rows; made once an actor."""
        from sklearn.datasets import load_digits

        pixels = np.round(load_digits().images * (255 / 16)).astype(np.uint8)[..., None]
        network, preprocessing = self.prefix(), self.preprocessing()

        def extract(start: int, stop: int) -> np.ndarray:
            images = preprocess(pixels[np.arange(start, stop) % len(pixels)], preprocessing)
            with torch.inference_mode():
                features: np.ndarray = network(images.to(memory_format=torch.channels_last)).contiguous().numpy()
            return features

        return extract


def extraction(case: Case, work: Path, repeats: int) -> dict[str, Any]:
    """Images a second: bare loop, store in this process, store through Ray; medians over interleaved repeats."""
    extract, key = case(), case.key(case.prefix())
    for _ in range(3):  # torch's first batches of a size are slower
        shape = extract(0, case.batch).shape[1:]
    speeds: dict[str, list[float]] = {"bare": [], "here": [], "ray whole": [], "ray steady": []}
    for repeat in range(repeats):
        speeds["bare"].append(case.images / _bare(case, extract))
        seconds, _ = _build(work / f"here-{repeat}", key, case.images, shape, in_process(extract, case.batch))
        speeds["here"].append(case.images / seconds)
        seconds, steady = _build_with_ray(work / f"ray-{repeat}", key, case, shape)
        speeds["ray whole"].append(case.images / seconds)
        speeds["ray steady"].append(steady)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    ratios = {name: value / medians["bare"] for name, value in medians.items() if name != "bare"}
    return {"freeze": case.freeze, "shape": list(shape), "images_per_second": medians, "ratio": ratios}


def _bare(case: Case, extract: Extract) -> float:
    started = time.perf_counter()
    for first in range(0, case.images, case.batch):
        extract(first, min(first + case.batch, case.images))
    return time.perf_counter() - started


def _build(root: Path, key: FeatureKey, rows: int, shape: tuple[int, ...], produce: Produce) -> tuple[float, float]:
    """Seconds of building, and rows a second after the first chunk."""
    times: list[tuple[float, int]] = []

    def timed(start: int, stop: int) -> Iterator[np.ndarray]:
        for chunk in produce(start, stop):
            times.append((time.perf_counter(), len(chunk)))
            yield chunk

    started = time.perf_counter()
    FeatureStore(root).build(key, shape, rows, timed).close()
    ended = time.perf_counter()
    return ended - started, (rows - times[0][1]) / (ended - times[0][0])


def _build_with_ray(root: Path, key: FeatureKey, case: Case, shape: tuple[int, ...]) -> tuple[float, float]:
    from graft.pipeline.ray_session import ray_session
    from graft.workers.feature_pool import RayProduce

    with ray_session():
        return _build(root, key, case.images, shape, RayProduce(case, case.batch))


def reading(features: Features, work: Path, batch: int, repeats: int) -> dict[str, float]:
    """GB a second of random rows from the store and from one memory map; best of interleaved passes."""
    path = work / "plain.npy"
    np.save(path, features.rows(slice(None)))
    plain = np.load(path, mmap_mode="r")
    generator = np.random.default_rng(0)
    asked = [generator.integers(0, len(features), batch) for _ in range(max(len(features) // batch, 1))]
    size = len(asked) * batch * plain[0].nbytes / 1e9
    best = {"store": 0.0, "memmap": 0.0}
    readers: dict[str, Callable[[np.ndarray], object]] = {"store": features.rows, "memmap": plain.__getitem__}
    for _ in range(repeats + 1):  # the first pass fills the page cache
        for name, read in readers.items():
            started = time.perf_counter()
            for rows in asked:
                read(rows)
            best[name] = max(best[name], size / (time.perf_counter() - started))
    return {**best, "ratio": best["store"] / best["memmap"]}


def stored_noise(work: Path, rows: int, width: int) -> Features:
    """Features of random numbers over several shards."""

    def extract(start: int, stop: int) -> np.ndarray:
        return np.random.default_rng(start).standard_normal((stop - start, width), dtype=np.float32)

    key = FeatureKey("noise", f"{rows}", "", None, "", "none", width)
    return FeatureStore(work / "noise").build(key, (width,), rows, in_process(extract, 1024))


def peak_memory(case: Case, work: Path) -> float:
    """MB at most resident in this process after building."""
    network = case.prefix()
    extract = case()
    shape = extract(0, 2).shape[1:]
    _build(work / f"memory-{case.images}", case.key(network), case.images, shape, in_process(extract, case.batch))
    # Not getrusage: its maximum begins with the parent's.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def memory(options: argparse.Namespace, work: Path) -> dict[str, float] | None:
    """Peak resident MB by number of rows, each in a process of its own; None if one failed."""
    found: dict[str, float] = {}
    for images in options.memory_images:
        answer = work / f"memory-{images}.json"
        arguments = [__file__, "--child", str(answer), "--images", str(images), "--batch", str(options.batch)]
        arguments += ["--resolution", str(options.resolution), "--backbone", options.backbone]
        if not run_child(arguments, work / f"memory-{images}.log", 3600):
            return None
        found[str(images)] = json.loads(answer.read_text())
    return found


def growth(peaks: dict[str, float] | None) -> float | None:
    """By which share the largest number of rows needs more memory than the smallest."""
    if peaks is None:
        return None
    sizes = sorted(peaks, key=int)
    return peaks[sizes[-1]] / peaks[sizes[0]] - 1


def rows_of(cases: list[dict[str, Any]], read: dict[str, float], more: float | None) -> list[list[Any]]:
    """Lines of the table."""
    lines: list[list[Any]] = []
    for one in cases:
        for name, value in one["ratio"].items():
            what = f"extraction at {one['freeze']:g} / bare loop, {name}"
            target = None if name == "ray whole" else TARGET_EXTRACTION
            lines.append([what, value, target, None if target is None else value >= target])
    lines.append(["random rows / numpy.memmap", read["ratio"], TARGET_READING, read["ratio"] >= TARGET_READING])
    met = None if more is None else abs(more) <= TARGET_MEMORY
    lines.append(["memory, growth with ten times the rows", more, TARGET_MEMORY, met])
    return lines


def main() -> int:
    """Measure, print, and return 1 if a part is missing."""
    options = _parser().parse_args()
    if options.smoke:
        options.images, options.repeats, options.resolution, options.batch = 96, 1, 32, 32
        options.memory_images, options.freezes, options.read_rows = [64, 640], [1.0], 60_000
    case = Case(options.backbone, 1.0, options.resolution, options.images, options.batch)
    os.environ["GRAFT_CACHE_GB"] = str(options.cache_gb)
    with tempfile.TemporaryDirectory(prefix="graft-bench-", dir=options.work) as name:
        work = Path(name)
        if options.child is not None:
            options.child.write_text(json.dumps(peak_memory(case, work)))
            return 0
        return _measure(options, work)


def _measure(options: argparse.Namespace, work: Path) -> int:
    origin = provenance()
    torch.set_num_threads(usable_cpus())
    cases = [
        extraction(
            Case(options.backbone, freeze, options.resolution, options.images, options.batch), work, options.repeats
        )
        for freeze in options.freezes
    ]
    with stored_noise(work, options.read_rows, 1280) as features:
        read = reading(features, work, 256, options.repeats + 2)
    peaks = memory(options, work)
    print(f"\n{table(['what', 'value', 'target', 'met'], rows_of(cases, read, growth(peaks)))}\n")
    settings = {name: value for name, value in vars(options).items() if name not in ("work", "child")}
    results = {"settings": settings, "extraction": cases, "reading_gb_s": read, "peak_mb": peaks}
    print(json_line("feature_store", origin, results))
    return 0 if peaks is not None else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--backbone", default="efficientnet_lite0", help="network (default: efficientnet_lite0)")
    add("--freezes", type=float, nargs="+", default=[1.0, 0.5], help="shares of depth (default: 1.0 0.5)")
    add("--images", type=int, default=5000, help="images timed in each case (default: 5000)")
    add("--resolution", type=int, default=64, help="pixels of a side (default: 64)")
    add("--batch", type=int, default=64, help="images computed at once (default: 64)")
    add("--read-rows", type=int, default=100_000, help="rows of 1,280 float32 to read from (default: 100000)")
    add("--memory-images", type=int, nargs="+", default=[5000, 50_000], help="rows built (default: 5000 50000)")
    add("--repeats", type=int, default=3, help="how often everything is measured (default: 3)")
    add("--cache-gb", type=float, default=20.0, help="bound of each store (default: 20)")
    add("--work", type=Path, help="write in this directory (default: a temporary one)")
    add("--child", type=Path, help=argparse.SUPPRESS)
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A folder of images to which some are appended: what the next ingest decodes, and how long it takes.

    first      all of them, into an empty cache
    appended   with the new ones, where the first dataset is there
    anew       the same, into an empty cache: what it would cost without the first

Decoded and stored as in a job at 128 px, by Ray Data. `decoded` are the samples that no older dataset has.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from reporting import json_line, provenance, table

EXAMPLE = """example:
  python tests/benchmarks/append.py --images 5000 --more 50
"""
SIDE = 96


def write_images(root: Path, first: int, last: int) -> None:
    """Photos of noise with some structure, in two classes."""
    rng = np.random.default_rng(first)
    for number in range(first, last):
        path = root / "ab"[number % 2] / f"{number * 7919 % 100003:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)


def ingested(root: Path, cache: Path) -> dict[str, Any]:
    """Seconds of an ingest, and how many samples were decoded."""
    from graft.data.decoding.reuse import known_rows
    from graft.data.ingest import ingest
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.stages.ingest import ingestion_of
    from graft.spec.load import parse_job

    job = resolve_job(
        parse_job({"name": "x", "data": {"kind": "image_folder", "path": str(root)}, "strategy": {"resolution": 128}})
    ).job
    started = time.perf_counter()
    work = ingestion_of(job)
    known = known_rows(work.plan, cache) if cache.exists() else None
    decoded = len(work.plan.rows) - (known.count if known else 0)
    dataset = ingest(work, cache)
    seconds = time.perf_counter() - started
    return {"decoded": decoded, "rows": len(dataset.ids), "seconds": seconds, "fingerprint": dataset.fingerprint}


def main() -> int:
    """Measure, and print."""
    import ray

    options, origin = _parser().parse_args(), provenance()
    if options.smoke:
        options.images, options.more = 60, 5
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        root, cache = Path(made) / "photos", Path(made) / "cache"
        write_images(root, 0, options.images)
        ingested(root, Path(made) / "warm")  # Ray starts its workers
        found = {"first": ingested(root, cache)}
        write_images(root, options.images, options.images + options.more)
        found["appended"] = ingested(root, cache)
        found["anew"] = ingested(root, Path(made) / "other")
    ray.shutdown()
    if found["appended"]["fingerprint"] != found["anew"]["fingerprint"]:
        raise SystemExit("the dataset with appended samples is not that of all samples anew")
    rows = [[name, one["rows"], one["decoded"], f"{one['seconds']:.1f}"] for name, one in found.items()]
    print(table(["ingest", "samples", "decoded", "s"], rows))
    print(json_line("append", origin, {"images": options.images, "more": options.more, "results": found}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000, help="at first (default: 5000)")
    parser.add_argument("--more", type=int, default=50, help="appended (default: 50)")
    parser.add_argument("--smoke", action="store_true", help="a few images")
    return parser


if __name__ == "__main__":
    sys.exit(main())

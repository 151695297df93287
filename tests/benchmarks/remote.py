"""What a store costs an ingest, and what becomes of it when the store fails.

Speed: images a second of an ingest (list, read, decode, shrink, examine, write) from an S3 server on this machine,
against the same images on its disk; the two by turns, through one Ray. The server is moto's, a process of its own that
takes its CPU from the same cores, which no store does: so the table has its CPU seconds beside those of graft. Those
hold Ray's daemons, which cost the more the longer an ingest takes on a busy machine.
Faults: a missing credential and a missing bucket, as `graft validate` tells them, with the seconds that takes; the way
to the store cut in the middle of an ingest.
Run it on an idle machine, with no other Ray on it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reporting import json_line, provenance, table, usable_cpus
from stores_at_hand import ENVIRONMENT, Wire, cpu_seconds, fill, s3_server

EXAMPLE = """example:
  python tests/benchmarks/remote.py --images 1500 --repeats 3 --cut 20
"""
TARGET = 0.7
BUCKET = "pictures"


@dataclass(frozen=True)
class Timed:
    """One ingest."""

    seconds: float
    workers: float
    server: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE, formatter_class=_Formatter)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--side", type=int, default=1000, help="longer side of each, in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cut", type=float, default=20.0, help="seconds")
    given = parser.parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory() as scratch, s3_server(Path(scratch) / "server.log") as (server, port):
        place = Path(scratch)
        files = pictures(given.images, given.side)
        for name, content in files.items():
            path = place / "disk" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        os.environ |= ENVIRONMENT
        fill(port, BUCKET, files)
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        found = measure(place, server, given.repeats)
        wire = Wire(port)
        os.environ["AWS_ENDPOINT_URL"] = wire.url
        cut = with_a_cut(place, wire, given.cut)
        told = [one_line(place, name) for name in ("credential", "bucket")]
    results = report(given, found, sum(map(len, files.values())) / len(files))
    print(f"cut for {given.cut:g} s: {cut}")
    for one in told:
        print(f"no {one['fault']}: exit {one['exit']} after {one['seconds']:.1f} s: {' | '.join(one['lines'])}")
    print(json_line("remote", origin, {**results, "cut": cut, "faults": told}))


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


def pictures(count: int, side: int) -> dict[str, bytes]:
    """JPEG files cut out of scikit-learn's two photographs, none like another, in two folders."""
    import io

    from PIL import Image
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(one) for one in load_sample_images().images]
    generator = np.random.default_rng(0)
    files = {}
    for index in range(count):
        photo = photos[index % 2]
        left, top = (int(generator.integers(0, edge // 4)) for edge in photo.size)
        piece = photo.crop((left, top, left + photo.width * 3 // 4, top + photo.height * 3 // 4))
        stream = io.BytesIO()
        piece.resize((side, side * 3 // 4)).save(stream, "JPEG", quality=85)
        files[f"{'temple' if index % 2 else 'flower'}/{index:05}.jpg"] = stream.getvalue()
    return files


def job_of(path: Path | str) -> Any:
    """A job of these images."""
    from graft.pipeline.resolve import resolve_job
    from graft.spec.load import parse_job

    raw = {"name": "b", "data": {"kind": "image_folder", "path": str(path)}, "strategy": {"resolution": 64}}
    return resolve_job(parse_job(raw)).job


def ingested(job: Any, cache: Path, progress: Any = None) -> Any:
    """The dataset, made anew."""
    from graft.data.ingest import ingest
    from graft.pipeline.stages.ingest import ingestion_of

    return ingest(ingestion_of(job), cache, progress)


def measure(place: Path, server: int, repeats: int) -> dict[str, list[Timed]]:
    """Ingests from the disk and from the store by turns; a first one of each that does not count."""
    from graft.pipeline.ray_session import ray_session

    found: dict[str, list[Timed]] = {"disk": [], "store": []}
    jobs = {"disk": job_of(place / "disk"), "store": job_of(f"s3://{BUCKET}")}
    with ray_session():
        for turn in range(repeats + 1):
            for name, job in jobs.items():
                workers = ray_workers()
                before = cpu_seconds(workers), cpu_seconds([server]), time.perf_counter()
                dataset = ingested(job, place / f"cache-{turn}-{name}")
                seconds = time.perf_counter() - before[2]
                assert not dataset.quarantine
                timed = Timed(seconds, cpu_seconds(ray_workers()) - before[0], cpu_seconds([server]) - before[1])
                print(json.dumps({"turn": turn, "from": name, **timed.__dict__}), file=sys.stderr, flush=True)
                if turn:
                    found[name].append(timed)
    return found


def ray_workers() -> list[int]:
    """Processes of the running Ray, and this one: both read what comes back."""
    import psutil

    return [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]


def with_a_cut(place: Path, wire: Wire, seconds: float) -> dict[str, Any]:
    """An ingest during which the store is away for so long, once a tenth of it is done."""
    from graft.journal.events import ResourcesAwaited
    from graft.journal.journal import Journal, read
    from graft.pipeline.ray_session import ray_session
    from graft.pipeline.waits import telling_silent_store

    began, cutting = time.perf_counter(), threading.Event()

    def progress(done: int, total: int) -> None:
        tell(done, total)
        if done >= total / 10 and not cutting.is_set():
            cutting.set()
            threading.Thread(target=wire.cut, args=(seconds,), daemon=True).start()

    file = place / "journal.jsonl"
    source = f"s3://{BUCKET}/temple/00001.jpg".encode()
    with ray_session(), Journal(file) as journal, telling_silent_store(journal, source) as tell:
        dataset = ingested(job_of(f"s3://{BUCKET}"), place / "cache-cut", progress)
    return {
        "seconds": time.perf_counter() - began,
        "was_cut": cutting.is_set(),
        "images": sum(dataset.counts.values()),
        "lost": len(dataset.quarantine),
        "told": [event.what for _, event in read(file) if isinstance(event, ResourcesAwaited)],
    }


def one_line(place: Path, fault: str) -> dict[str, Any]:
    """What `graft validate` says of a fault, and how long that takes."""
    environment = dict(os.environ)
    bucket = BUCKET
    if fault == "credential":
        del environment["AWS_SECRET_ACCESS_KEY"]
    else:
        bucket = "no-such-bucket"
    file = place / "job.yaml"
    file.write_text(json.dumps({"version": 1, "name": "b", "data": {"kind": "image_folder", "path": f"s3://{bucket}"}}))
    began = time.perf_counter()
    program = "from graft.cli.main import main; main()"
    command = [sys.executable, "-c", program, "validate", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    return {"fault": fault, "seconds": time.perf_counter() - began, "exit": done.returncode, "lines": lines}


def report(given: Any, found: dict[str, list[Timed]], size: float) -> dict[str, Any]:
    """Print the table of speed; the figures in it."""
    count = given.images
    rates = {name: count / statistics.median(one.seconds for one in times) for name, times in found.items()}
    ratio = rates["store"] / rates["disk"]
    cpu = {
        name: [statistics.median(getattr(one, who) for one in times) / count * 1000 for who in ("workers", "server")]
        for name, times in found.items()
    }
    rows = [[name, f"{rates[name]:.0f}", *(f"{value:.2f}" for value in cpu[name])] for name in found]
    print(f"{count} JPEG images of {size / 1024:.0f} kB, {usable_cpus()} cores, {given.repeats} ingests each")
    print(table(["from", "images/s", "CPU ms of graft and Ray", "server's CPU ms an image"], rows))
    alone = cpu["disk"][0] / cpu["store"][0]
    print(f"store / disk: {ratio:.2f} (target {TARGET}); CPU of graft and Ray, disk / store: {alone:.2f}")
    return {"ratio": ratio, "cpu_ratio": alone, "rates": rates, "cpu_ms": cpu}


if __name__ == "__main__":
    main()

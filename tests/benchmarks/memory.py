"""What ingest and training hold in memory, at two sizes of a set: is it flat?

Each size runs in a process of its own. `list` lists the samples and plans the ingest; `ingest` is the whole of it, with
an examination, beside a Ray of two CPUs that is there already; `epoch` maps the dataset in another process and reads
all training batches of an epoch, as a trial does; `stream` does that from the stream. Told are the peaks of anonymous
memory of the process itself and of all that it has started, less what they had before, and of Ray's object store; and
`total`, all that all of them hold. Tables are only listed: their rows are texts in a Parquet file.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import torch
from photos import write_photos
from process_tree import peak_memory
from reporting import json_line, provenance, table

from graft.data.batches import Batches
from graft.data.dataset import Dataset, Split
from graft.data.ingest import ingest
from graft.learner.training_data import columns_of, training_data_of
from graft.models.load import describe_backbone
from graft.pipeline.resolve import resolve_job
from graft.pipeline.stages.ingest import ingestion_of
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

MB = 1e6
SIDE, BACKBONE, FLAT = 32, "efficientnet_lite0", 1.1
Peaks = dict[str, float]


def measured(work: Callable[[], object]) -> Peaks:
    """Megabytes that were added at the worst moment: here, in all processes together, in shared memory."""
    with peak_memory() as before:
        pass
    with peak_memory(every=0.05) as peak:
        work()
    kinds = ("here", "private", "shared")
    added = {kind: max(getattr(peak, kind) - getattr(before, kind), 0) / MB for kind in kinds}
    return {**added, "total": peak.private / MB + peak.shared / MB}


def images(folder: Path, cache: Path) -> dict[str, Peaks]:
    """All stages of a folder of images."""
    strategy = {"backbone": BACKBONE, "resolution": SIDE, "freeze": 0.0}
    data = {"kind": "image_folder", "path": str(folder)}
    job = resolve_job(parse_job({"version": 1, "name": "memory", "data": data, "strategy": strategy})).job
    found = {"list": measured(lambda: ingestion_of(job))}
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    work = ingestion_of(job)
    datasets: dict[str, Dataset] = {}
    found["ingest"] = measured(lambda: datasets.update(stored=ingest(work, cache)))
    streamed = ingest(replace(work, plan=replace(work.plan, is_streamed=True)), cache)
    for name, dataset in (("epoch", datasets["stored"]), ("stream", streamed)):
        found[name] = ray.get(ray.remote(num_cpus=0)(read_epoch).remote(job, dataset))
    return found


def read_epoch(job: Job, dataset: Dataset) -> Peaks:
    """In a process that trains."""
    torch.set_num_threads(1)
    data = training_data_of(job, dataset, num_threads=1)
    strategy = Strategy(backbone=BACKBONE, resolution=SIDE, freeze=0.0)
    given = data.modality.preprocessing(data.storage, strategy, describe_backbone(BACKBONE))
    inputs = data.modality.inputs(columns_of(data), given, torch.device("cpu"))
    batches = Batches(inputs, data.arrays.targets, data.arrays.rows(Split.TRAIN), 64)
    for _, warm in zip(range(3), batches.epoch(0, 1), strict=False):
        del warm

    def read() -> None:
        for _ in batches.epoch(0, 2):
            pass

    return measured(read)


def texts(file: Path) -> dict[str, Peaks]:
    """A table, listed."""
    data = {"kind": "table", "path": str(file), "text": "text", "label": "label"}
    strategy, task = {"backbone": "minilm_l6"}, {"kind": "classification"}
    job = parse_job({"version": 1, "name": "memory", "data": data, "strategy": strategy, "task": task})
    return {"list": measured(lambda: ingestion_of(job))}


def write_texts(folder: Path, rows: int) -> Path:
    file = folder / f"texts-{rows}.parquet"
    if not file.exists():
        words = np.random.default_rng(0).integers(0, 10**6, (rows, 2))
        sentences = [f"review {first} says that the product {second} is as it should be" for first, second in words]
        labels = np.array(["bad", "good"])[words[:, 0] % 2]
        pq.write_table(pa.table({"text": sentences, "label": labels}), file)
    return file


def in_a_process(kind: str, path: Path) -> dict[str, Peaks]:
    """Measure in a process that holds nothing else."""
    command = [sys.executable, __file__, "--only", kind, "--path", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Peaks] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs=2, default=[10_000, 100_000])
    parser.add_argument("--rows", type=int, nargs=2, default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="for images and tables; a temporary one if left out")
    parser.add_argument("--only", choices=["images", "texts"], help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if given.only:
            found = images(given.path, Path(scratch)) if given.only == "images" else texts(given.path)
            print(json.dumps(found))
            return
        compare(given.images, given.rows, given.folder or Path(scratch))


def compare(counts: list[int], rows: list[int], folder: Path) -> None:
    origin, lines = provenance(), []
    sources = {
        "images": [write_photos(folder, count, SIDE) for count in counts],
        "texts": [write_texts(folder, count) for count in rows],
    }
    for kind, sizes in (("images", counts), ("texts", rows)):
        small, large = (in_a_process(kind, path) for path in sources[kind])
        for stage in small:
            for where in ("here", "private", "shared", "total"):
                low, high = small[stage][where], large[stage][where]
                each = (high - low) * MB / (sizes[1] - sizes[0])
                lines.append([f"{kind} {stage}", where, low, high, round(each)])
    print(
        table(["stage", "memory", f"MB at {counts[0]}, {rows[0]}", f"at {counts[1]}, {rows[1]}", "bytes a row"], lines)
    )
    totals = {line[0]: line[3] / line[2] for line in lines if line[1] == "total"}
    print(json_line("memory", origin, {"growth": totals, "met": all(one <= FLAT for one in totals.values())}))


if __name__ == "__main__":
    main()

"""Makes the data all variants share: graft's ingest, once, and the same arrays again as one plain NumPy file."""

import time

import numpy as np
from throughput.exchange import ARRAYS, Outcome, Request, main
from throughput.graft_search import benchmark_job

from graft.core.storage import Home
from graft.data.dataset import Split
from graft.data.ingest import ingest
from graft.modalities.image.info import PIXELS
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.ingest import ingestion_of


def prepare(request: Request) -> Outcome:
    """Ingest into the home below `request.work`, so that graft's own search finds its dataset in the cache."""
    job = benchmark_job(request)
    started = time.perf_counter()
    with ray_session():
        dataset = ingest(ingestion_of(job), Home.find(request.work / "home").datasets)
    images = dataset.columns[PIXELS]
    train, validation = dataset.rows(Split.TRAIN), dataset.rows(Split.VALIDATION)
    np.savez(
        request.work / ARRAYS,
        train_images=images[train],
        train_labels=dataset.targets[train],
        validation_images=images[validation],
        validation_labels=dataset.targets[validation],
    )
    return Outcome(time.perf_counter() - started, 0.0, {})


if __name__ == "__main__":
    main(prepare)

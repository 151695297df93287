"""Makes the data all variants share: graft's ingest, once, and the same arrays again as one plain NumPy file."""

import time

import numpy as np
from throughput.exchange import ARRAYS, Outcome, Request, main
from throughput.graft_search import benchmark_job

from graft.core.storage import Home
from graft.data.dataset import Dataset, Split
from graft.data.ingest import ingest
from graft.modalities.image.info import PIXELS
from graft.modalities.text.storage import TEXT
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.ingest import ingestion_of


def prepare(request: Request) -> Outcome:
    """Ingest into the home below `request.work`, so that graft's own search finds its dataset in the cache."""
    job = benchmark_job(request)
    started = time.perf_counter()
    with ray_session():
        dataset = ingest(ingestion_of(job), Home.find(request.work / "home").datasets)
    train, validation = dataset.rows(Split.TRAIN), dataset.rows(Split.VALIDATION)
    samples = _tokens(dataset) if TEXT in dataset.columns else dataset.columns[PIXELS]
    np.savez(
        request.work / ARRAYS,
        train_samples=samples[train],
        train_labels=dataset.targets[train],
        validation_samples=samples[validation],
        validation_labels=dataset.targets[validation],
    )
    return Outcome(time.perf_counter() - started, 0.0, {})


def _tokens(dataset: Dataset) -> np.ndarray:
    from throughput.plain_texts import numbers  # transformers, which images do without

    texts = dataset.columns[TEXT]
    return numbers([one.tobytes().decode() for one in texts.take(np.arange(len(texts)))])


if __name__ == "__main__":
    main(prepare)

"""Features of frozen blocks computed before the search, by all CPUs or GPUs: for large datasets.

A small dataset is not worth it: the first trial that needs features computes them in the process it has, while a pool
of processes would have to start first.
"""

import gc
import json
import logging
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from graft.core.errors import ResourceError
from graft.data.dataset import Dataset, Split, open_dataset
from graft.data.feature_store.features import Extract
from graft.data.feature_store.key import FeatureKey
from graft.data.listing import Decoder
from graft.learner.cached_features import EXTRACTION_BATCH, Extraction, FeatureCache
from graft.learner.prefix import Prefix
from graft.learner.supervised import extraction_for
from graft.learner.training_data import training_data_of
from graft.modalities.registry import build_modality
from graft.models.load import blocks_of, describe_backbone
from graft.spec.components.skip import NoSkip, SkipAt
from graft.spec.components.structure import Structure
from graft.spec.job import Job
from graft.spec.strategy import Strategy
from graft.workers.feature_pool import RayProduce
from graft.workers.remote import run_remote

# Training rows from which on a pool is started: it takes about 5 s for each set of features, in which one core extracts
# some 5,000 images of 32 px.
LARGE = 50_000

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrefixFactory:
    """Makes, in a process of the pool, what computes the features of one split.

    Attributes:
        job: of the search.
        dataset: its directory.
        feature_cache: where features are.
        prefix: the frozen blocks.
        split: of the dataset.
        decoder: of a dataset that is streamed.
    """

    job: Job
    dataset: Path
    feature_cache: FeatureCache
    prefix: Prefix
    split: Split
    decoder: Decoder | None = None

    def __call__(self) -> Extract:
        return self.extraction().extract

    def extraction(self) -> Extraction:
        """What computes the features, and their key."""
        info = describe_backbone(self.prefix.backbone)
        structure = _structure(self.prefix, info.num_blocks)
        strategy = Strategy(
            backbone=self.prefix.backbone,
            structure=structure,
            freeze=self.prefix.cut / len(blocks_of(self.prefix.backbone, structure)),
            precision=self.job.strategy.values("precision")[0],
            **({"init": json.loads(self.prefix.start)} if self.prefix.start else {}),
            **build_modality(info.modality).sized(self.prefix.size),
        )
        dataset = open_dataset(self.dataset, decoder=self.decoder)
        training_data = training_data_of(self.job, dataset, num_threads=1, feature_cache=self.feature_cache)
        return extraction_for(training_data, strategy, self.split)


def materialise(feature_cache: FeatureCache, job: Job, dataset: Dataset) -> None:
    """Compute what the feature cache wants of a large dataset, shallow cuts before deep ones; Ray must be up.

    Stored views are left to the trials, as each has its own policy. So is everything for which there is no room here:
    a trial that cannot keep features says so, and trains without.
    """
    if dataset.counts["train"] < LARGE:
        return
    try:
        for factory in _factories(feature_cache, job, dataset):
            key, shape, rows = run_remote(describe, factory)
            with feature_cache.store.build(key, shape, rows, RayProduce(factory, EXTRACTION_BATCH)) as features:
                _LOG.info("%s cut %d, %s: %s", key.backbone, key.cut, key.split, features.work)
    except ResourceError as error:
        _LOG.warning("features of frozen blocks are left to the trials: %s", error)
    # The frames of an error hold Ray Data's actors, and with them CPUs that the trials need.
    gc.collect()


def describe(factory: PrefixFactory) -> tuple[FeatureKey, tuple[int, ...], int]:
    """Key, shape and number of a factory's features; in a worker, because it loads the network."""
    one = factory.extraction()
    return one.key, one.extract(0, 1).shape[1:], one.rows


def _structure(prefix: Prefix, num_blocks: int) -> Structure:
    """One that has these frozen blocks."""
    depths = tuple((2 * place + 1) / (2 * num_blocks) for place in prefix.left_out)
    skip = SkipAt(depths=depths) if depths else NoSkip()
    if not prefix.pool:
        return Structure(skip=skip)
    keep = (prefix.places[-1] + 1) / num_blocks
    return Structure.model_validate({"keep": keep, "skip": skip, "pool": prefix.pool})


def _factories(feature_cache: FeatureCache, job: Job, dataset: Dataset) -> Iterator[PrefixFactory]:
    plain = [prefix for prefix in feature_cache.wanted if not prefix.views]
    for prefix in sorted(plain, key=astuple):
        for split in (Split.TRAIN, Split.VALIDATION):
            yield PrefixFactory(job, dataset.directory, feature_cache, prefix, split, dataset.decoder)

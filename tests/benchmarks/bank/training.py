"""One strategy trained on one task by graft's own learner, through the feature store, with its learning curve."""

import time
from dataclasses import replace
from typing import Any

from bank.grid import Planned

from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.data.split import Split
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import prefix_of
from graft.learner.supervised import build_learner
from graft.learner.training_data import training_data_of
from graft.spec.job import Job
from graft.training.plan import EpochResult


def train(planned: Planned, job: Job, dataset: Dataset, home: Home) -> dict[str, Any]:
    """The learning curve: validation metrics after each epoch, and processor seconds up to there.

    The seconds of frozen blocks are counted whether their features were there or not: `pass_s` is what they took when
    they were not, None if they were.
    """
    strategy = planned.strategy
    prefix = prefix_of(strategy)
    wanted = frozenset() if prefix is None else frozenset({prefix})
    cache = FeatureCache(FeatureStore(home.features), data_fingerprint(dataset), wanted)
    data = replace(training_data_of(job, dataset, 1, cache), epochs=planned.epochs)
    begun = time.process_time()
    learner = build_learner(data, strategy, (Split.TRAIN,))
    ready = time.process_time()
    curve: list[dict[str, Any]] = []

    def on_epoch(result: EpochResult) -> bool:
        metrics = {name.removeprefix("val/"): one for name, one in result.metrics.items() if name.startswith("val/")}
        curve.append({"epoch": result.epoch, "seconds": time.process_time() - ready, "metrics": metrics})
        return True

    outcome = learner.train(on_epoch, validate=True)
    built = bool(learner.facts.get("cache/misses"))
    return {
        "strategy": strategy.model_dump(mode="json"),
        "epochs": planned.epochs,
        "level": planned.level,
        "prefix": None if prefix is None else [prefix.backbone, prefix.size, prefix.cut, list(prefix.left_out)],
        "pass_s": ready - begun if built or prefix is None else None,
        "curve": curve,
        "status": str(outcome.status),
        "written_at": time.time(),
    }

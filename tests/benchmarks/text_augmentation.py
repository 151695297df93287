"""What augmentation of texts brings and costs.

    python tests/benchmarks/text_augmentation.py --seeds 10
    python tests/benchmarks/text_augmentation.py --cost-only

A linear probe of MiniLM-L6 on WordNet's definitions, with four stored views of each: each seed draws the training texts
and the order, and is shared by all policies, so that they are compared on the same texts. The score is the accuracy of
the best epoch by validation loss on test texts that no policy has seen. Costs are CPU seconds of one thread for a batch
of 32 texts.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from in_memory import sampled, training_data_of
from reporting import json_line, provenance, table

from graft.data.augmentation.draws import Draws
from graft.data.batch import FEATURES
from graft.data.dataset import Split
from graft.data.feature_store.features import in_process
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import prefix_of
from graft.learner.supervised import build_learner, extraction_for
from graft.learner.training_data import TrainingData
from graft.spec.registry import members
from graft.spec.strategy import Strategy

POLICIES: Mapping[str, Mapping[str, Any]] = {
    "none": {"kind": "none"},
    "word_dropout 0.1": {"kind": "word_dropout", "magnitude": 0.1, "views": 4},
    "word_swap 0.2": {"kind": "word_swap", "magnitude": 0.2, "views": 4},
    "word_mask 0.15": {"kind": "word_mask", "magnitude": 0.15, "views": 4},
}
SHARES = (0.05, 0.2, 1.0)
ROUNDS = 20


def data_of(texts: int, epochs: int) -> TrainingData:
    """WordNet's definitions of nouns; so many to train and validate on."""
    return training_data_of(
        {
            "name": "x",
            "data": {"kind": "wordnet", "limit": texts, "test": 0.005, "validation": 0.2},
            "strategy": {"backbone": "minilm_l6", "max_tokens": 32},
            "training": {"epochs": epochs},
        }
    )


def strategy_of(policy: str) -> Strategy:
    augment = members("augmentation")[str(POLICIES[policy]["kind"])].model_validate(POLICIES[policy])
    return Strategy(backbone="minilm_l6", max_tokens=32, freeze=1.0, lr=1e-2, batch_size=16, augment=augment)


class Scored:
    """A policy whose features, of all views of all training texts, are computed once."""

    def __init__(self, data: TrainingData, policy: str, scratch: Path) -> None:
        self._strategy = strategy_of(policy)
        prefix = prefix_of(self._strategy)
        assert prefix is not None, "all blocks are frozen, and views are stored"
        cache = FeatureCache(FeatureStore(scratch, 10**10), "wordnet", frozenset([prefix]))
        self._data = replace(data, feature_cache=cache)
        self._cached = build_learner(self._data, self._strategy, (Split.TRAIN,)).given.frozen
        one = extraction_for(self._data, self._strategy, Split.TEST)
        with cache.store.build(one.key, one.extract(0, 1).shape[1:], one.rows, in_process(one.extract, 128)) as found:
            self._test = found.tensor(slice(None))

    def accuracy(self, share: float, seed: int) -> float:
        """On the test texts, of a head that saw a share of the training texts."""
        data = self._data
        # The same number of steps at every share would take longest where there is least; so epochs grow with its root.
        epochs = round(data.epochs * share**-0.5)
        arrays = replace(data.arrays, splits=sampled(data, share, seed))
        some = replace(data, arrays=arrays, seed=seed, epochs=epochs, feature_cache=None)
        learner = build_learner(some, self._strategy, (Split.TRAIN,))
        learner = replace(learner, given=replace(learner.given, frozen=self._cached))
        learner.train(None, validate=True)
        learner.session.restore_best()
        with torch.inference_mode():
            outputs = learner.session.model.eval()({FEATURES: self._test})
        targets = data.arrays.targets[data.arrays.rows(Split.TEST)]
        return float(np.mean(outputs.argmax(dim=1).numpy() == targets))


def costs(data: TrainingData, tokens: int = 32) -> list[dict[str, Any]]:
    """Milliseconds a text of each policy, and of a training step beside it."""
    learner = build_learner(data, strategy_of("none"), (Split.TRAIN,))
    rows = data.arrays.rows(Split.TRAIN)[:32]
    told = []
    for policy in POLICIES:
        augmenter = data.modality.augmenter(strategy_of(policy).augment, data.data, learner.given.samples.given)  # type: ignore[attr-defined]
        if augmenter is not None:
            batch = learner.given.samples.plain(rows)
            seconds = _least(lambda a=augmenter, b=batch: a.apply(b, Draws.of_epoch(rows, 0, 1)))
            told.append({"policy": policy, "ms_a_text": round(1000 * seconds / len(rows), 4)})
    seconds = _least(lambda: learner.session.model(learner.given.samples.plain(rows)))
    return [*told, {"policy": "(a forward pass)", "ms_a_text": round(1000 * seconds / len(rows), 4)}]


def _least(work: Any) -> float:
    torch.set_num_threads(1)
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def _row(share: float, policy: str, some: list[float], plain: list[float]) -> dict[str, Any]:
    gain = [one - none for one, none in zip(some, plain, strict=True)]
    spread = statistics.stdev(gain) / len(gain) ** 0.5 if len(gain) > 1 else None
    means = {"accuracy": statistics.mean(some), "gain": statistics.mean(gain), "se": spread}
    return {"share": share, "policy": policy, **means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=625, help="to train and validate on")
    parser.add_argument("--epochs", type=int, default=16, help="with all training texts")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES)
    parser.add_argument("--cost-only", action="store_true")
    options = parser.parse_args()
    where, data = provenance(), data_of(options.texts, options.epochs)
    found = costs(data)
    print(table(("policy", "ms a text"), [(one["policy"], one["ms_a_text"]) for one in found]))
    gains: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        scored = {} if options.cost_only else {one: Scored(data, one, Path(scratch)) for one in POLICIES}
        for share in options.shares if scored else []:
            scores = {
                one: [policy.accuracy(share, seed) for seed in range(options.seeds)] for one, policy in scored.items()
            }
            gains += [_row(share, one, some, scores["none"]) for one, some in scores.items()]
            print(*gains[-len(scores) :], sep="\n", flush=True)
    if gains:
        print(table(("share", "policy", "accuracy", "gain", "s.e."), [tuple(one.values()) for one in gains]))
    print(json_line("text_augmentation", where, {"costs": found, "gains": gains}))


if __name__ == "__main__":
    main()

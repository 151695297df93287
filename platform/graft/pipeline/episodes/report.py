"""What a meta-model is worth: accuracy on tasks of classes that it has never seen, beside prototypes as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from graft.episodes.adapters.prototypes import Prototypes
from graft.episodes.evaluator import Score, evaluate
from graft.episodes.meta_learner import SETTLED_ON
from graft.episodes.objective import MetaLoss
from graft.episodes.samples import FEATURES, Samples
from graft.episodes.starts.frozen import FrozenFeatures
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.spec.meta.job import ReportSpec, ways_and_shots


@dataclass(frozen=True)
class Measured:
    """One protocol.

    Attributes:
        ours: of the meta-model.
        prototypes: of class means of the same samples as they are.
    """

    ours: Score
    prototypes: Score

    @property
    def gain(self) -> Score:
        """Task by task."""
        return self.ours.less(self.prototypes)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        beside = {"prototypes": self.prototypes.to_json(), "gain": self.gain.accuracy}
        spread = self.gain.half_width
        return {
            **self.ours.to_json(),
            **beside,
            "gain_interval": [self.gain.accuracy - spread, self.gain.accuracy + spread],
        }


def tasks_of(samples: Samples, report: ReportSpec, queries: int, seed: int) -> Mapping[str, TaskSource]:
    """Tasks of each protocol; within one group, where there are groups.

    Raises:
        DataError: there are too few classes or samples for one.
    """
    within = float(len(np.unique(samples.groups)) > 1)
    found = {}
    for protocol in report.protocols:
        ways, shots = ways_and_shots(protocol)
        found[protocol] = TaskSource(samples, EpisodeShape(ways, (shots,), queries, within), seed, checked=True)
    return found


def measured(
    loss: MetaLoss, baseline: FrozenFeatures, tasks: Mapping[str, TaskSource], episodes: int
) -> dict[str, Measured]:
    """The meta-model and the baseline, on the same tasks."""
    return {
        protocol: Measured(
            evaluate(loss.start, loss.adapter, source, episodes),
            evaluate(baseline, Prototypes(), flattened(source, baseline.views[0]), episodes),
        )
        for protocol, source in tasks.items()
    }


def baseline_of(training: Samples) -> FrozenFeatures:
    """Features as they are, centred by the training samples; the samples themselves where there are no features."""
    view = FEATURES if FEATURES in training.inputs else next(iter(training.inputs))
    vectors = training.inputs[view][:: max(len(training) // SETTLED_ON, 1)]
    start = FrozenFeatures(int(np.prod(vectors.shape[1:])), view)
    start.settle({view: vectors.reshape(len(vectors), -1)})
    return start


def flattened(source: TaskSource, view: str) -> TaskSource:
    """The same tasks of one view, as vectors."""
    vectors = source.samples.inputs[view].reshape(len(source.samples), -1)
    kept = source.samples.only_view(view, vectors if vectors.is_floating_point() else vectors.to(torch.float32))
    return TaskSource(kept, source.shape, source.seed, checked=True)

"""Sorting: classification with a metric of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graft.spec.tasks.classification import Classification
from graft.tasks.classification.task import ClassificationTask
from graft_flowers.specs import Sorting


class SortingTask(ClassificationTask):
    trial_metrics = ("sorted_well", "loss")

    def __init__(self, spec: Sorting) -> None:
        super().__init__(Classification())
        self.spec = spec

    def score(self, predictions: np.ndarray, targets: np.ndarray, names: Sequence[str], facts: Any) -> dict[str, float]:
        known = {"sorted_well": "accuracy"}
        found = super().score(predictions, targets, [known.get(name, name) for name in names], facts)
        return {name: found[known.get(name, name)] for name in names}

    def report(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        found = super().report(*arguments, **options)
        for part in ("metrics", "intervals"):
            found[part] = {"sorted_well": found[part]["accuracy"], "loss": found[part]["loss"]}
        return {**found, "task": "sorting"}

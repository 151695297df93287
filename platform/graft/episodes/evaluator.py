"""How well a start and an adapter do on held-out tasks."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from graft.episodes.adapters.protocol import Adapter, ClosedForm, Support
from graft.episodes.samples import FEATURES
from graft.episodes.starts.protocol import Start
from graft.episodes.task_source import TaskSource

EPISODES = 600
_Z95 = 1.959964


@dataclass(frozen=True)
class Score:
    """Accuracy over tasks.

    Attributes:
        accuracy: mean over tasks.
        half_width: of the 95 % interval of that mean; the tasks are what is drawn, not the training.
        of_tasks: float64 [episodes], of each, so that two can be compared task by task.
    """

    accuracy: float
    half_width: float
    of_tasks: np.ndarray = field(repr=False, compare=False)

    @classmethod
    def of(cls, accuracies: np.ndarray) -> "Score":
        """From the accuracy of each task."""
        spread = float(accuracies.std(ddof=1)) if len(accuracies) > 1 else math.nan
        return cls(float(accuracies.mean()), _Z95 * spread / math.sqrt(len(accuracies)), accuracies)

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, within 0 and 1."""
        return max(self.accuracy - self.half_width, 0.0), min(self.accuracy + self.half_width, 1.0)

    def less(self, other: "Score") -> "Score":
        """The mean difference on the same tasks, with its interval."""
        return Score.of(self.of_tasks - other.of_tasks)

    def to_json(self) -> dict[str, int | float | list[float]]:
        """Plain values."""
        return {"accuracy": self.accuracy, "interval": list(self.interval), "episodes": len(self.of_tasks)}

    def __str__(self) -> str:
        return f"{self.accuracy:.3f} ± {self.half_width:.3f}"


def evaluate(
    start: Start, adapter: Adapter, source: TaskSource, episodes: int = EPISODES, is_transductive: bool = False
) -> Score:
    """Accuracy on tasks of a source; two calls with one source and number see the same tasks.

    Args:
        start: as it is; it is judged as one that is done, with its fixed moments.
        adapter: how it is adapted to each task.
        source: of held-out samples.
        episodes: tasks.
        is_transductive: whether the adapter may see all queries of a task at once. Else the answer to a query does not
            depend on the others.
    """
    modes = start.training, adapter.training
    start.eval()
    adapter.eval()
    try:
        found = _accuracies(start, adapter, source, episodes, is_transductive)
    finally:
        start.train(modes[0])
        adapter.train(modes[1])
    return Score.of(found)


def _accuracies(start: Start, adapter: Adapter, source: TaskSource, episodes: int, is_transductive: bool) -> np.ndarray:
    solved = adapter if isinstance(adapter, ClosedForm) else None
    tasks = _embedded(start, source) if solved else source
    found = []
    for step in range(episodes):
        episode = tasks.episode(step)
        support = Support.of(episode, with_queries=is_transductive)
        if solved:
            with torch.no_grad():
                pool = None if support.pool is None or not solved.uses_pool else support.pool[FEATURES]
                head = solved.head(support.inputs[FEATURES], support.labels, support.ways, pool)
                told = head(episode.query[FEATURES])
        else:
            told = adapter.adapt(start, support)(episode.query).detach()
        found.append(float((told.argmax(dim=1) == episode.query_labels).float().mean()))
    return np.array(found)


def _embedded(start: Start, source: TaskSource) -> TaskSource:
    """The same tasks, of vectors that are made once instead of in each."""
    vectors = start.embed(source.samples.inputs)
    return TaskSource(source.samples.only_view(FEATURES, vectors), source.shape, source.seed, checked=True)

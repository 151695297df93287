"""Tasks as points of a plane, as far apart as they are unlike: classical scaling (Torgerson 1952) of the distances."""

from collections.abc import Sequence

import numpy as np

from graft.meta.memory.records import TaskEntry
from graft.meta.task_embedding.similarity import distances


def plane(entries: Sequence[TaskEntry]) -> np.ndarray:
    """Coordinates [N, 2]; the same for the same tasks, whichever sign the eigenvectors come with."""
    count = len(entries)
    if count < 2:
        return np.zeros((count, 2))
    squares = np.square(distances(entries))
    centring = np.eye(count) - 1.0 / count
    values, vectors = np.linalg.eigh(-0.5 * centring @ squares @ centring)
    order = np.argsort(values)[::-1][:2]
    axes = vectors[:, order] * np.sqrt(np.clip(values[order], 0, None))
    largest = np.abs(axes).argmax(axis=0)
    signs = np.where(axes[largest, range(axes.shape[1])] < 0, -1.0, 1.0)
    found = np.zeros((count, 2))
    found[:, : axes.shape[1]] = axes * signs
    return found

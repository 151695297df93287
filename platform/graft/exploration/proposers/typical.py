"""Samples that stand for many others."""

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from graft.exploration.proposers.protocol import View, nearness
from graft.spec.meta.proposers import TypicalProposer

MOST_CLUSTERS = 300
# Neighbours are looked for among so many samples of a cluster.
_COMPARED = 2000


def typical(view: View, count: int, neighbours: int, rng: np.random.Generator) -> np.ndarray:
    """Cluster into as many groups as there will be labels; of each of the largest without one, its most typical sample
    (Hacohen, Dekel & Weinshall, *Active learning on a budget*, ICML 2022, TPC-RP).

    Typicality is one over the mean distance to the nearest `neighbours` of the cluster.
    """
    count = min(count, len(view.free))
    clusters = min(len(view.labelled) + count, MOST_CLUSTERS, len(view.vectors))
    of = _clustered(view.vectors, clusters, int(rng.integers(2**31)))
    is_free = np.zeros(len(view.vectors), bool)
    is_free[view.free] = True
    labels, sizes = np.bincount(of[view.labelled], minlength=clusters), np.bincount(of, minlength=clusters)
    chosen: list[int] = []
    while len(chosen) < count:
        left = np.bincount(of[is_free], minlength=clusters) > 0
        cluster = min(np.flatnonzero(left), key=lambda one: (labels[one], -sizes[one]))
        best = _most_typical(view.vectors, np.flatnonzero(of == cluster), is_free, neighbours)
        chosen.append(best)
        is_free[best] = False
        labels[cluster] += 1
    return np.array(chosen, np.int64)


def _clustered(vectors: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    if clusters <= 1:
        return np.zeros(len(vectors), np.int64)
    means = MiniBatchKMeans(clusters, n_init=1, random_state=seed, batch_size=1024, max_iter=30)
    found: np.ndarray = means.fit_predict(vectors)
    return found.astype(np.int64)


def _most_typical(vectors: np.ndarray, members: np.ndarray, is_free: np.ndarray, neighbours: int) -> int:
    free = members[is_free[members]][:_COMPARED]
    distances = np.sort(np.sqrt(nearness(vectors[free], vectors[members[:_COMPARED]])), axis=1)
    mean = distances[:, 1 : neighbours + 1].mean(axis=1) if distances.shape[1] > 1 else distances[:, 0]
    return int(free[mean.argmin()])


class Typical:
    """Coverage alone, whatever the model says."""

    def __init__(self, spec: TypicalProposer) -> None:
        self.spec = spec

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """The most typical of each cluster."""
        return typical(view, count, self.spec.neighbours, rng)

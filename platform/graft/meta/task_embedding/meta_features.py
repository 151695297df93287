"""Numbers that say of what size and shape a task is, without any network."""

import math
from collections.abc import Mapping

import numpy as np

from graft.meta.task_embedding.sample import TaskSample


def meta_features(sample: TaskSample) -> Mapping[str, float]:
    """Name -> number; what a task does not have is left out.

    ``log_rows``, ``log_outputs``, ``log_rows_per_output`` are decimal logarithms. ``balance`` is the entropy of the
    class frequencies over its largest value, in [0, 1]; ``smallest_share`` how often the rarest class is there, times
    the number of classes. ``log_length`` is of the median sample, ``spread_of_length`` the difference of the logarithms
    of the upper and lower quartile, ``overlap`` of words.
    """
    outputs = max(sample.outputs, 1)
    found = {
        "log_rows": math.log10(max(sample.rows, 1)),
        "log_outputs": math.log10(outputs),
        "log_rows_per_output": math.log10(max(sample.rows / outputs, 0.1)),
    }
    counts = np.asarray(sample.counts, dtype=np.float64)
    if len(counts) > 1 and counts.sum() > 0:
        shares = counts / counts.sum()
        present = shares[shares > 0]
        found["balance"] = float(-(present * np.log(present)).sum() / math.log(len(counts)))
        found["smallest_share"] = float(shares.min() * len(counts))
    if len(sample.lengths):
        lower, middle, upper = np.quantile(np.maximum(sample.lengths, 1), (0.25, 0.5, 0.75))
        found["log_length"] = math.log10(middle)
        found["spread_of_length"] = math.log10(upper) - math.log10(lower)
    if sample.overlap is not None:
        found["overlap"] = sample.overlap
    return found

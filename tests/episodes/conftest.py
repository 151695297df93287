"""Small samples for episodes."""

from collections.abc import Callable

import numpy as np
import pytest

from graft.episodes.samples import Samples


@pytest.fixture
def make_samples() -> Callable[..., Samples]:
    """Classes of random features, of two groups."""

    def make(classes: int = 8, each: int = 6, groups: int = 2, width: int = 5, seed: int = 0) -> Samples:
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(classes), each)
        centres = rng.normal(size=(classes, width)) * 2
        features = centres[labels] + rng.normal(size=(len(labels), width))
        return Samples.of(features.astype(np.float32), labels, labels % groups)

    return make

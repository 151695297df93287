"""Features as proposers compare them."""

import numpy as np

COMPONENTS = 128
_FITTED = 2000


def unit_vectors(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """float32 [N, D ≤ `COMPONENTS`]: the principal components of features [N, F], each row of length 1."""
    some = np.random.default_rng(seed).permutation(len(features))[:_FITTED]
    mean = features[some].mean(axis=0)
    _, _, basis = np.linalg.svd(features[some] - mean, full_matrices=False)
    found = (features - mean) @ basis[:COMPONENTS].T
    length = np.linalg.norm(found, axis=1, keepdims=True)
    unit: np.ndarray = (found / np.maximum(length, 1e-12)).astype(np.float32)
    return unit

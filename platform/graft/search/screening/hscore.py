"""H-score with shrinkage (Ibrahim, Ponomareva, Mazumder, *Newer is not always better*, 2021, arXiv:2110.06893)."""

import numpy as np

from graft.search.screening.decomposed import Decomposed
from graft.search.screening.targets import Targets


def hscore(sample: Decomposed, targets: Targets) -> float:
    """tr(Σ̂⁻¹ cov(E[f | y])): how much of the spread of the features lies between the classes. Larger is better.

    Σ̂ = (1 − ρ) Σ + ρ μ I is the covariance shrunk as Ledoit and Wolf (2004) have it, μ the mean variance; both
    covariances are divided by n. The means of the classes lie in the span of the rows, so the inverse is needed only
    there, where Σ̂ is diagonal in the basis of the principal components. With fewer rows than features
    noise scores high.
    """
    spectrum, rows = sample.centred, sample.rows
    if not len(spectrum.squares):
        return 0.0
    variances, scores = spectrum.squares / rows, spectrum.scores
    shrinkage = ledoit_wolf(variances, scores, sample.width)
    counts = targets.columns.sum(axis=0)
    means = (targets.columns.T @ scores) / counts[:, None]
    between = (counts / rows) @ np.square(means)
    shrunk = (1 - shrinkage) * variances + shrinkage * variances.sum() / sample.width
    return float((between / shrunk).sum())


def ledoit_wolf(variances: np.ndarray, scores: np.ndarray, width: int) -> float:
    """The share ρ of the identity in the shrunk covariance (Ledoit & Wolf 2004, lemma 3.2 to 3.5).

    Args:
        variances: of the components, [r].
        scores: of the rows, [n, r].
        width: p, the number of features.
    """
    rows, squares = len(scores), float(np.square(variances).sum())
    mean = float(variances.sum()) / width
    spread = squares / width - mean**2
    lengths = np.square(np.square(scores).sum(axis=1)).sum()
    noise = (float(lengths) / rows - squares) / (width * rows)
    return 0.0 if spread <= 0 else min(max(noise, 0.0), spread) / spread

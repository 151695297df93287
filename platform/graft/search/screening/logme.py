"""LogME: the logarithm of the maximum evidence (You, Liu, Wang, Long, *LogME*, ICML 2021)."""

import numpy as np

from graft.search.screening.decomposed import Decomposed, Floats, Spectrum
from graft.search.screening.targets import Targets

_ROUNDS, _CLOSE = 100, 1e-6
# Keeps the evidence finite where the features explain a target without any rest.
_LEAST = 1e-12


def logme(sample: Decomposed, targets: Targets) -> float:
    """Mean over the columns y of the targets of max over α, β of log p(y | F, α, β) / n.

    The model is y = F w + ε with w ~ N(0, 1/α) and ε ~ N(0, 1/β); F [n, D] are the features as they are, without a
    bias. α and β go to their fixed point (algorithm 1): γ = Σ β σ² / (α + β σ²), α = γ / mᵀm, β = (n − γ) / ‖F m − y‖².
    For values it is the same, a column each. Larger is better.
    """
    spectrum = sample.raw
    evidences = [_evidence(spectrum, sample, column) for column in targets.columns.T]
    return float(np.mean(evidences))


def _evidence(spectrum: Spectrum, sample: Decomposed, wanted: Floats) -> float:
    squares, rows, width = spectrum.squares, sample.rows, sample.width
    told = np.square(spectrum.left.T @ wanted)
    unreached = max(float(wanted @ wanted - told.sum()), 0.0)
    alpha = beta = 1.0
    length = rest = 0.0
    for _ in range(_ROUNDS):
        ratio = alpha / beta
        gamma = float((squares / (squares + ratio)).sum())
        length = float((squares * told / np.square(squares + ratio)).sum())
        rest = float((told * np.square(ratio / (squares + ratio))).sum()) + unreached
        alpha, beta = gamma / max(length, _LEAST), (rows - gamma) / max(rest, _LEAST)
        alpha, beta = max(alpha, _LEAST), max(beta, _LEAST)
        if abs(alpha / beta - ratio) <= _CLOSE * ratio:
            break
    spread = np.log(alpha + beta * squares).sum() + (width - len(squares)) * np.log(alpha)
    whole = width * np.log(alpha) + rows * np.log(beta) - rows * np.log(2 * np.pi) - spread
    return float(whole - beta * rest - alpha * length) / (2 * rows)

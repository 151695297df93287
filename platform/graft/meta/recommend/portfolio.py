"""Which candidates to try first, if the best of them is what counts: complementary ones, not twins."""

from collections.abc import Sequence

import numpy as np

from graft.meta.recommend.kernel import Floats
from graft.meta.recommend.surrogate import Posterior

DRAWS = 256
COST_SAY = 0.25
"""Of costs against gains, as a power: a trial that is 16 times as cheap may gain half as much."""
# How many tasks weigh as much as what the surrogate imagines.
_TASKS = 3.0


def greedy(
    draws: Floats, weights: Floats, count: int, taken: Sequence[int] = (), costs: Floats | None = None
) -> list[int]:
    """Places of the candidates whose best is expected to be best, each chosen beside those before it.

    E[max over the chosen] is submodular, so the greedy choice has at least 63 % of the best possible gain (Nemhauser,
    Wolsey & Fisher, 1978). Equal gains go to the candidate with the larger mean, then to the earlier one. The first is
    the one with the largest mean, whatever it costs: there is nothing yet that it could gain on, so a quotient of worth
    and cost would prefer a cheap candidate however poor it is. What is cheap comes behind it, beside it where trials
    run side by side.

    Args:
        draws: [D, P], what may come of each candidate.
        weights: [D], sum 1.
        count: how many.
        taken: candidates that are tried anyway.
        costs: [P], in units of the usual one; gains are divided by costs ** `COST_SAY`.
    """
    price = np.ones(draws.shape[1]) if costs is None else costs**COST_SAY
    mean = weights @ draws
    left = [place for place in range(draws.shape[1]) if place not in taken]
    chosen: list[int] = []
    if left and count and not len(taken):
        chosen.append(max(left, key=lambda place: (mean[place].round(9), -place)))
        left.remove(chosen[0])
    best = draws[:, [*taken, *chosen]].max(axis=1, initial=-np.inf)
    while left and len(chosen) < count:
        gains = (weights @ (np.maximum(draws[:, left], best[:, None]) - best[:, None])) / price[left]
        at = left[int(np.lexsort((np.array(left), -mean[left], -gains.round(9)))[0])]
        chosen.append(at)
        left.remove(at)
        best = np.maximum(best, draws[:, at])
    return chosen


def outcomes_drawn(posterior: Posterior, residuals: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """What may come of the candidates, and how likely each draw is.

    Half imagined, of the posterior; half what other tasks had beyond what was expected of them, the more the more
    tasks there are. The latter know which candidates are good where others are not, which no kernel of fields says.

    Args:
        posterior: of P candidates.
        residuals: [T, P], of earlier tasks that know all of them; T may be 0.
        seed: of the imagined ones.
    """
    size = len(posterior.mean)
    rng = np.random.default_rng(seed)
    covariance = posterior.covariance + np.eye(size) * (posterior.noise + 1e-9)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    half = rng.standard_normal((DRAWS // 2, size)) @ root.T
    imagined = np.concatenate([half, -half])
    share = len(residuals) / (len(residuals) + _TASKS)
    weights = [np.full(DRAWS, (1 - share) / DRAWS)]
    if len(residuals):
        weights.append(np.full(len(residuals), share / len(residuals)))
    draws = np.concatenate([imagined, residuals.reshape(-1, size)]) + posterior.mean
    return draws, np.concatenate(weights)

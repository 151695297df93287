"""The surrogate: a Gaussian process over (task, candidate), with the scores of screening as its linear part."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from graft.meta.recommend.kernel import Fields, Floats, Likeness
from graft.meta.recommend.table import Table

_ROWS_FOR_CHOICE = 300
# Of a task as a whole: its best is not the best that there is, so losses of one task are known up to a constant.
_OFFSET = 0.5
_FREEDOM = 4.0


@dataclass(frozen=True)
class Hyperparameters:
    """Of the process, in units of the losses.

    Attributes:
        shared: variance of what a candidate is worth on all tasks, σ_g².
        own: variance of what it is worth on one task and those like it, σ_h².
        length: of the kernel of candidates.
        noise: variance of one outcome, σ_n².
        slope: prior mean of the slope of the mean score.
        slopes: prior variance of all slopes; 0 leaves the scores out.
        told: variance of what a candidate is worth on tasks whose scores go the same way, σ_s².
    """

    shared: float = 0.4
    own: float = 0.2
    length: float = 2.0
    noise: float = 0.1
    slope: float = 0.15
    slopes: float = 0.01
    told: float = 0.0


@dataclass(frozen=True)
class Posterior:
    """What is expected of candidates on a task.

    Attributes:
        mean: float64 [P], of the loss: more is better.
        covariance: float64 [P, P], of what the candidates are worth, without the noise of one outcome.
        noise: variance of one outcome.
    """

    mean: Floats
    covariance: Floats
    noise: float

    @property
    def deviation(self) -> Floats:
        """Of one outcome, [P]."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), 0.0) + self.noise))


class Surrogate:
    """loss(t, c) = o_t + g(c) + h(t, c) + sᵀβ + ε, all Gaussian.

    k((t, c), (t', c')) = [t = t'] σ_o² + k_c(c, c') (σ_g² + σ_h² k_t(t, t') + σ_s² cos(s_t, s_t')) + sᵀ Λ s' + noise,
    which is the intrinsic coregionalisation model (Bonilla et al., NeurIPS 2007) with a linear part, and with what a
    candidate is worth as a linear function of the scores of all backbones. Without any observation the mean is that of
    the scores; with many tasks the slopes β and the worth of each candidate are learned together, so a score that
    always prefers one backbone is corrected for it. Noise has heavy tails: rows that fit badly get less weight
    (iteratively, Student's t), and rows of little trust have more noise.

    Args:
        table: what is known.
        fields: compares the candidates of the table.
        likeness: compares its tasks.
        parameters: of the process.
        rounds: of weights for rows that fit badly.
    """

    def __init__(
        self,
        table: Table,
        fields: Fields,
        likeness: Likeness,
        parameters: Hyperparameters = Hyperparameters(),
        rounds: int = 2,
    ) -> None:
        self.table, self.parameters = table, parameters
        self._candidates = fields.whole(parameters.length)
        self._likeness = likeness
        self._weight = table.weight.copy()
        self._fit()
        for _ in range(rounds if table.rows else 0):
            errors = np.square(self._left_out_errors()) / parameters.noise
            self._weight = table.weight * (_FREEDOM + 1) / (_FREEDOM + np.minimum(errors, 100.0))
            self._weight = np.minimum(self._weight, table.weight)
            self._fit()

    def predict(self, task: str, candidates: NDArray[np.intp], features: Floats) -> Posterior:
        """What is expected on a task, which may be one of the table.

        Args:
            task: its name.
            candidates: places in the table's candidates, [P].
            features: their scores on the task, [P, J + 1].
        """
        own, table = self.parameters, self.table
        likeness = self._likeness.of(task)
        among = self._candidates[np.ix_(candidates, candidates)] * (own.shared + own.own + own.told)
        among = among + self._linear(features, features)
        mean = features[:, 0] * own.slope if own.slopes else np.zeros(len(candidates))
        if not table.rows:
            return Posterior(mean, among, own.noise)
        alike = own.shared + own.own * likeness
        if own.told:
            alike = alike + own.told * self._likeness.of_by_scores(task)
        across = self._candidates[np.ix_(candidates, table.candidate)] * alike[table.task]
        across = across + self._linear(features, table.features)
        across = across + _OFFSET * (np.array(table.tasks, dtype=object)[table.task] == task)[None, :]
        mean = mean + across @ self._told
        return Posterior(mean, among - across @ cho_solve(self._factor, across.T), own.noise)

    def left_out_tasks(self) -> Floats:
        """What would be expected of each row if its whole task were unknown, [N], up to a constant of each task.

        From one inverse for all tasks (block leave-one-out): y_b − ([K⁻¹]_bb)⁻¹ [K⁻¹ y]_b for the rows b of a task.
        """
        inverse = cho_solve(self._factor, np.eye(self.table.rows))
        found = np.empty(self.table.rows)
        for task in np.unique(self.table.task):
            rows = np.flatnonzero(self.table.task == task)
            found[rows] = self.table.loss[rows] - np.linalg.solve(inverse[np.ix_(rows, rows)], self._told[rows])
        return found

    @property
    def evidence(self) -> float:
        """The logarithm of the marginal likelihood, without constants."""
        lower, _ = self._factor
        return float(-0.5 * self._centred @ self._told - np.log(np.diag(lower)).sum())

    def _fit(self) -> None:
        table, own = self.table, self.parameters
        same = table.task[:, None] == table.task[None, :]
        kernel = self._candidates[np.ix_(table.candidate, table.candidate)]
        alike = own.shared + own.own * self._likeness.whole
        if own.told:
            alike = alike + own.told * self._likeness.whole_by_scores
        kernel = kernel * alike[np.ix_(table.task, table.task)]
        kernel = kernel + _OFFSET * same + self._linear(table.features, table.features)
        kernel[np.diag_indices(table.rows)] += own.noise / self._weight
        self._factor = cho_factor(kernel, lower=True)
        self._centred = table.loss - (table.features[:, 0] * own.slope if own.slopes else 0.0)
        self._told = cho_solve(self._factor, self._centred)

    def _left_out_errors(self) -> Floats:
        """y_i − μ₋ᵢ of each row."""
        inverse = cho_solve(self._factor, np.eye(self.table.rows))
        return np.asarray(self._told / np.diag(inverse))

    def _linear(self, ones: Floats, others: Floats) -> Floats:
        """Of the scores: each by itself has a quarter of the variance that their mean has."""
        variances = self.parameters.slopes * np.array([1.0, *[0.25] * (ones.shape[1] - 1)])
        return np.asarray((ones * variances) @ others.T)


def _grid(*splits: tuple[float, float]) -> tuple[Hyperparameters, ...]:
    """Of the variances that all tasks share and that each has of its own, by length and noise."""
    return tuple(
        Hyperparameters(shared, own, length, noise)
        for (shared, own), length, noise in itertools.product(splits, (1.0, 4.0), (0.05, 0.25))
    )


GRID = _grid((0.6, 0.1), (0.3, 0.3), (0.1, 0.4))
# One task tells the sum of both, not how much of it holds for others: the split must not follow from the sum.
GRID_OF_ONE = _grid((0.45, 0.25))
# Of what tasks share whose scores go the same way; it must raise the logarithm of the evidence by so much.
_TOLD, _MARGIN = (0.3, 1.0), 2.0


def fitted(table: Table, fields: Fields, likeness: Likeness, with_scores: bool = True) -> Surrogate:
    """The surrogate whose hyperparameters have the largest evidence.

    Args:
        table: what is known.
        fields: compares its candidates.
        likeness: compares its tasks.
        with_scores: whether the scores are looked at.
    """
    grid = GRID_OF_ONE if len(np.unique(table.task)) == 1 else GRID
    grid = grid if with_scores else tuple(replace(one, slopes=0.0) for one in grid)
    if not table.rows:
        return Surrogate(table, fields, likeness, grid[0])
    few = table.without(np.arange(table.rows) % math.ceil(table.rows / _ROWS_FOR_CHOICE) == 0)

    def evidence(one: Hyperparameters) -> float:
        return Surrogate(few, fields, likeness, one, rounds=0).evidence

    best = max(grid, key=evidence)
    if with_scores and likeness.has_directions:
        told = max((replace(best, told=variance) for variance in _TOLD), key=evidence)
        best = told if evidence(told) > evidence(best) + _MARGIN else best
    return Surrogate(table, fields, likeness, best)

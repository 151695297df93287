"""Logistic regression with an L2 penalty whose strength is chosen by folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.core.heartbeat import Watch
from graft.core.seeds import derive_seed
from graft.spec.components.head import LogisticHead
from graft.transfer.closed_form.held_out import HeldOut, held_out
from graft.transfer.closed_form.lbfgs import Ending, minimise
from graft.transfer.closed_form.present import Present
from graft.transfer.closed_form.problem import Fitting, LinearTargets, Link, Solution, ones_like_rows, portions
from graft.transfer.closed_form.spectrum import spectrum_of

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)
# Strengths are compared on so many rows at most.
COMPARED_ROWS = 10_000
# So many strengths in a row that are worse than the best end the comparison.
PATIENCE = 2
# Without two rows of any class nothing can be held out.
UNCOMPARED = 1.0
COARSE, FINE = Ending(rounds=60, gradient=3e-4), Ending(rounds=300, gradient=3e-5)


@dataclass(frozen=True)
class _Rows:
    """Some rows, in the basis of the components.

    Attributes:
        scores: [n, r].
        targets: int64 [n], or float32 [n, K].
        weights: [n].
    """

    scores: Tensor
    targets: Tensor
    weights: Tensor

    def at(self, rows: np.ndarray) -> "_Rows":
        some = torch.from_numpy(rows)
        return _Rows(self.scores[some], self.targets[some], self.weights[some])

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class _Model:
    """Weights [K, r + 1]; the last column is the bias."""

    weights: Tensor

    def outputs(self, scores: Tensor) -> Tensor:
        return torch.addmm(self.weights[:, -1], scores, self.weights[:, :-1].T)


def solve(spec: LogisticHead, fitting: Fitting) -> Solution:
    """Fit a linear head by maximum likelihood with a penalty, min Σ ωᵢ ℓᵢ(w) + ‖w‖² / 2C, the bias being free.

    ℓ is the cross-entropy of a softmax (multinomial), or of each label by itself. Features are scaled. C is the
    one of `STRENGTHS` with the smallest mean loss of held-out rows (k stratified folds, which keep together what
    belongs together), warm-started from the smallest C upwards as in Friedman, Hastie & Tibshirani (J. Stat. Software
    33, 2010); with an L2 penalty alone there is no shrinking of coordinates, so each problem is solved by L-BFGS,
    scaled by the variances of the components. Features and rows are those of `Fitting`; outputs without an example
    answer with their rate.
    """
    weights = ones_like_rows(fitting.features) if fitting.weights is None else fitting.weights
    present = Present.of(fitting.targets)
    spectrum = spectrum_of(fitting.features, weights, spec.scale)
    rows = _Rows(spectrum.scores, torch.from_numpy(np.ascontiguousarray(present.targets.values)), weights)
    fit = _Fit(present.targets.link, present.targets.outputs, spectrum.variances, fitting.watch)
    start = fit.start(rows)
    strength, losses = spec.strength, dict[float, float]()
    if strength is None:
        compared = _compared(len(weights), fitting.seed)
        folds = _folds(spec.folds, present.targets.at(compared), fitting.kin_at(compared), fitting.seed)
        strength, start, losses = _chosen(fit, rows.at(compared), folds, start)
    model = fit.solve(rows, strength, start, FINE)
    level = _level(model, rows) if present.targets.link == "softmax" else 0.0
    own = spectrum.model_of_features(model.weights[:, :-1], model.weights[:, -1])
    weight, bias = present.filled(*own, level)
    facts = {"head/C": strength} | ({"head/held_out_loss": losses[strength]} if losses else {})
    return Solution({"1.weight": weight, "1.bias": bias}, facts)


@dataclass(frozen=True)
class _Fit:
    """Solves the problem for any rows and strength.

    Attributes:
        link: how outputs are read.
        outputs: K.
        variances: of the components.
        watch: what the rounds go through.
    """

    link: Link
    outputs: int
    variances: Tensor
    watch: Watch

    def start(self, rows: _Rows) -> _Model:
        """The model that knows nothing but how frequent each output is."""
        total = rows.weights.sum()
        if self.link == "softmax":
            counts = torch.zeros(self.outputs).index_add_(0, rows.targets, rows.weights)
            bias = ((counts + 0.5) / (total + 0.5 * self.outputs)).log()
        else:
            bias = torch.logit((rows.weights @ rows.targets + 0.5) / (total + 1))
        return _Model(torch.cat([torch.zeros(self.outputs, rows.scores.shape[1]), bias[:, None]], dim=1))

    def solve(self, rows: _Rows, strength: float, start: _Model, ending: Ending) -> _Model:
        """The model of least loss, from a start."""
        decay = 1 / (strength * len(rows))
        curvature = 1 / max(self.outputs, 4) if self.link == "softmax" else 0.25
        scale = torch.cat([curvature * self.variances + decay, torch.tensor([curvature])]).rsqrt()

        def objective(scaled: Tensor) -> tuple[float, Tensor]:
            loss, gradient = self.loss(rows, _Model(scaled * scale), decay)
            return loss, gradient * scale

        return _Model(minimise(objective, start.weights / scale, ending, self.watch) * scale)

    def loss(self, rows: _Rows, model: _Model, decay: float) -> tuple[float, Tensor]:
        """Mean loss of the rows with its penalty, and the gradient [K, r + 1]."""
        count, slopes = len(rows), model.weights * decay
        slopes[:, -1] = 0
        total = 0.5 * decay * float(model.weights[:, :-1].double().square().sum())
        for part in portions(count, self.outputs):
            outputs, weights = model.outputs(rows.scores[part]), rows.weights[part]
            losses, errors = self._errors(outputs, rows.targets[part])
            total += float(losses.double() @ weights.double()) / count
            errors *= weights[:, None] / count
            slopes[:, :-1].addmm_(errors.T, rows.scores[part])
            slopes[:, -1] += errors.sum(dim=0)
        return total, slopes

    def mean_loss(self, rows: _Rows, model: _Model) -> float:
        """Without penalty."""
        total = 0.0
        for part in portions(len(rows), self.outputs):
            losses, _ = self._errors(model.outputs(rows.scores[part]), rows.targets[part])
            total += float(losses.double() @ rows.weights[part].double())
        return total / max(float(rows.weights.sum()), 1e-12)

    def _errors(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of each row, summed over labels, and its derivatives by the outputs."""
        if self.link == "softmax":
            log_p = outputs - outputs.logsumexp(dim=1, keepdim=True)
            places = targets[:, None]
            losses, errors = -log_p.gather(1, places)[:, 0], log_p.exp_()
            return losses, errors.scatter_add_(1, places, outputs.new_full((len(targets), 1), -1.0))
        losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").sum(dim=1)
        return losses, outputs.sigmoid() - targets


def _compared(count: int, seed: int) -> np.ndarray:
    """The rows that strengths are compared on."""
    if count <= COMPARED_ROWS:
        return np.arange(count)
    rng = np.random.default_rng(derive_seed(seed, "compared"))
    return np.sort(rng.choice(count, COMPARED_ROWS, replace=False))


def _folds(count: int, targets: LinearTargets, kin: np.ndarray | None, seed: int) -> list[HeldOut]:
    """Of whole groups where they can be judged by, else of rows; none where no class has two rows."""
    if targets.link == "softmax" and np.bincount(targets.values).max() < 2:
        return []
    return held_out(targets, kin, count, seed) or held_out(targets, None, count, seed)


def _chosen(
    fit: _Fit, rows: _Rows, folds: Sequence[HeldOut], start: _Model
) -> tuple[float, _Model, dict[float, float]]:
    """The best strength, where to start from with it, and the held-out loss of each strength."""
    if not folds:
        return UNCOMPARED, start, {}
    parts = [(rows.at(fold.kept), rows.at(fold.judged)) for fold in folds]
    models, losses, best = [start] * len(parts), dict[float, float](), start
    for strength in STRENGTHS:
        models = [fit.solve(own, strength, model, COARSE) for (own, _), model in zip(parts, models, strict=True)]
        of_folds = [fit.mean_loss(held, model) for (_, held), model in zip(parts, models, strict=True)]
        losses[strength] = float(np.mean(of_folds))
        chosen = min(losses, key=losses.__getitem__)
        if chosen == strength:
            best = _Model(torch.stack([model.weights for model in models]).mean(dim=0))
        elif STRENGTHS.index(strength) - STRENGTHS.index(chosen) >= PATIENCE:
            break
    return chosen, best, losses


def _level(model: _Model, rows: _Rows) -> float:
    """log Σ exp of the outputs, on average."""
    total = sum(
        float(model.outputs(rows.scores[part]).logsumexp(dim=1).double().sum())
        for part in portions(len(rows), len(model.weights))
    )
    return total / len(rows)

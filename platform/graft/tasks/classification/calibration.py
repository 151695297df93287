"""How far probabilities can be believed: calibration error, and the temperature that mends it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graft.tasks.classification.metrics import Floats, Integers, calibration_error, losses

if TYPE_CHECKING:
    from torch import Tensor

FEWEST_ROWS = 200
"""With fewer validation rows a temperature is as likely to harm as to help."""


def fit_temperature(logits: "Tensor", labels: np.ndarray) -> float:
    """The temperature that makes logits most probable (Guo, Pleiss, Sun, Weinberger, ICML 2017).

    One scalar, fitted by L-BFGS to the cross-entropy; it changes no decision, only how sure each is.

    Args:
        logits: of the validation rows, [N, K]; never of the test rows.
        labels: [N].

    Returns:
        T of softmax(logits / T), within 0.05..20; 1 with fewer than 200 rows, or if a logit is not finite.
    """
    import torch
    from torch.nn import functional

    outputs = logits.detach().cpu().double()
    if len(labels) < FEWEST_ROWS or not bool(torch.isfinite(outputs).all()):
        return 1.0
    truth = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(outputs / log_temperature.exp(), truth)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = float(log_temperature.detach().exp())
    return min(max(found, 0.05), 20.0) if np.isfinite(found) else 1.0


def calibration_report(probs: Floats, labels: Integers, temperature: float) -> dict[str, Any]:
    """Calibration before and after the temperature that is already in the probabilities."""
    before = undo_temperature(probs, temperature)
    return {"temperature": temperature, "before": _errors(before, labels), "after": _errors(probs, labels)}


def undo_temperature(probs: Floats, temperature: float) -> NDArray[np.float64]:
    """What the probabilities were without it: p^T, scaled to a sum of 1."""
    logs = temperature * np.log(np.maximum(probs.astype(np.float64), np.finfo(np.float64).tiny))
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    before: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return before


def _errors(probs: Floats, labels: Integers) -> dict[str, float]:
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    return {
        "ece": calibration_error(confidence, right),
        "ece_equal_mass": calibration_error(confidence, right, equal_mass=True),
        "log_loss": float(losses(probs, labels).mean()),
    }

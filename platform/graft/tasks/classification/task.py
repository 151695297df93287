"""Classification as a task: each sample is of one of several classes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.data.split import SplitSettings, plan_splits
from graft.data.targets import RawTargets, Targets
from graft.spec.registry import build
from graft.spec.tasks.base import LossSpec
from graft.spec.tasks.classification import Classification
from graft.tasks.classification.calibration import FEWEST_ROWS, fit_temperature
from graft.tasks.classification.doubts import doubts
from graft.tasks.classification.metrics import TRIAL_METRICS, score
from graft.tasks.classification.plots import report_pictures
from graft.tasks.classification.report import ClassificationReport, build_report
from graft.tasks.classification.targets import check_classes_left, read_classes
from graft.tasks.protocol import Facts, LossFunction, Preview
from graft.tasks.reading import places_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graft.transfer.closed_form.problem import LinearTargets


class ClassificationTask:
    """Labels are codes int64 [N], outputs are logits [N, K], predictions are probabilities [N, K].

    Attributes:
        spec: nothing to choose.
        trial_metrics: the cheap ones.
    """

    trial_metrics: tuple[str, ...] = TRIAL_METRICS

    def __init__(self, spec: Classification) -> None:
        self.spec = spec

    def read(self, raw: RawTargets, source: str, known: Sequence[str] = ()) -> Targets:
        """Classes from categories, texts, whole numbers or truth values."""
        return read_classes(raw, source, known)

    def align(self, targets: Targets, names: Sequence[str]) -> np.ndarray:
        """The codes that the classes have in the model; one that no sample is of may be unknown to it."""
        used, where = np.unique(targets.values, return_inverse=True)
        codes: np.ndarray = places_of([targets.names[code] for code in used], names, "class")[where]
        return codes

    def split(self, given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray:
        """Every class in proportion."""
        return plan_splits(given, targets.values, settings, targets.names)

    def strata(self, targets: Targets) -> np.ndarray:
        """The classes."""
        return targets.values

    def check_left(self, targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
        """No class may lose all its samples of a split."""
        check_classes_left(targets, splits, readable, ids)

    def facts(self, training: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """The number of classes."""
        return {"num_outputs": len(names)}

    def counts(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """Rows of each class."""
        return dict(zip(names, np.bincount(targets, minlength=len(names)).tolist(), strict=True))

    def doubts(self, targets: Targets) -> tuple[str, ...]:
        """Classes that may be none, or several labels."""
        return tuple(doubts(targets))

    def num_outputs(self, names: Sequence[str]) -> int:
        """One logit for each class."""
        return len(names)

    def loss(
        self, spec: LossSpec, training: np.ndarray, facts: Facts, device: "torch.device | str" = "cpu"
    ) -> LossFunction:
        """Mean loss of logits [B, K] and labels [B]."""
        found: LossFunction = build(spec, training, facts, device)
        return found

    def as_linear(self, targets: Targets, facts: Facts) -> "LinearTargets":
        """The codes of the classes."""
        from graft.transfer.closed_form.problem import LinearTargets

        return LinearTargets("softmax", targets.values, len(targets.names), self.strata(targets))

    def soften(self, targets: "Tensor", facts: Facts) -> "Tensor":
        """Labels int64 [B] as probabilities float32 [B, K]."""
        from torch.nn import functional

        return functional.one_hot(targets, facts["num_outputs"]).float()

    def decide(self, outputs: "Tensor", facts: Facts) -> np.ndarray:
        """Probabilities [N, K]; taken in float64, so that they add up to 1 far beyond what float32 would give."""
        logits = outputs.detach().double()
        if (temperature := facts.get("temperature", 1.0)) != 1.0:
            logits = logits / temperature
        probabilities: np.ndarray = logits.softmax(dim=1).cpu().numpy()
        return probabilities

    def calibrate(self, outputs: "Tensor", targets: np.ndarray, facts: Facts) -> dict[str, Any]:
        """A temperature, if there are enough rows to trust one."""
        if len(targets) < FEWEST_ROWS:
            reason = f"{len(targets)} validation rows are too few, a temperature needs {FEWEST_ROWS}"
            return {"temperature": 1.0, "temperature_reason": reason}
        reason = f"fitted to {len(targets)} validation rows"
        return {"temperature": fit_temperature(outputs, targets), "temperature_reason": reason}

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, names: Sequence[str], facts: Facts
    ) -> dict[str, float]:
        """Metrics by name."""
        return score(predictions, targets, names)

    def report(
        self,
        predictions: np.ndarray,
        targets: np.ndarray,
        ids: Sequence[str],
        names: Sequence[str],
        facts: Facts,
        seed: int = 0,
    ) -> dict[str, Any]:
        """With confusion matrix, scores of each class, and calibration."""
        temperature = float(facts.get("temperature", 1.0))
        return build_report(predictions, targets, names, ids, seed, temperature=temperature).to_dict()

    def figures(self, report: Mapping[str, Any], preview: Preview | None = None) -> dict[str, bytes]:
        """Confusion matrix, and the worst samples if they can be shown."""
        return report_pictures(ClassificationReport.from_dict(report), preview)

    def answers(
        self, predictions: np.ndarray, names: Sequence[str], facts: Facts, probabilities: bool = False
    ) -> dict[str, list[Any]]:
        """Columns ``label`` and ``probability``, and ``p(name)`` for every class if asked for."""
        chosen = predictions.argmax(axis=1)
        columns: dict[str, list[Any]] = {
            "label": [names[code] for code in chosen],
            "probability": predictions[np.arange(len(chosen)), chosen].tolist(),
        }
        if probabilities:
            columns |= {f"p({name})": predictions[:, code].tolist() for code, name in enumerate(names)}
        return columns

    def labels(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, list[Any]]:
        """Column ``label``."""
        return {"label": [names[int(code)] for code in targets]}

"""Multi-label classification as a task: each sample has none, one or several of the labels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.data.split import SplitSettings
from graft.data.targets import RawTargets, Targets
from graft.spec.registry import build
from graft.spec.tasks.base import LossSpec
from graft.spec.tasks.multilabel import Multilabel
from graft.tasks.multilabel.doubts import doubts
from graft.tasks.multilabel.metrics import METRIC_NAMES, applied, score
from graft.tasks.multilabel.plots import report_pictures
from graft.tasks.multilabel.report import build_report
from graft.tasks.multilabel.split import split_by_labels
from graft.tasks.multilabel.targets import check_labels_left, read_labels
from graft.tasks.multilabel.thresholds import fit_thresholds
from graft.tasks.protocol import Facts, LossFunction, Preview
from graft.tasks.reading import places_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graft.transfer.closed_form.problem import LinearTargets


class MultilabelTask:
    """Targets are indicators uint8 [N, L], outputs are logits [N, L], predictions are probabilities [N, L].

    Attributes:
        spec: the separator of labels.
        trial_metrics: all, none of them is slow.
    """

    trial_metrics: tuple[str, ...] = METRIC_NAMES

    def __init__(self, spec: Multilabel) -> None:
        self.spec = spec

    def read(self, raw: RawTargets, source: str, known: Sequence[str] = ()) -> Targets:
        """Labels from lists, sets, or texts with separators."""
        return read_labels(raw, source, self.spec.separator, known)

    def align(self, targets: Targets, names: Sequence[str]) -> np.ndarray:
        """The indicators of the model's labels; one that the data does not know applies to none of it. One that applies
        to none may be unknown to the model."""
        values = np.zeros((len(targets), len(names)), dtype=np.uint8)
        used = np.flatnonzero(targets.values.any(axis=0))
        values[:, places_of([targets.names[k] for k in used], names, "label")] = targets.values[:, used]
        return values

    def split(self, given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray:
        """Every label in proportion."""
        return split_by_labels(given, targets.values, settings)

    def strata(self, targets: Targets) -> np.ndarray:
        """The labels."""
        return targets.values

    def check_left(self, targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
        """No split may lose all its samples, no label all those to learn it from."""
        check_labels_left(targets, splits, readable, ids)

    def facts(self, training: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """Number of labels, and training samples that have each."""
        return {"num_outputs": len(names), "positives": training.sum(axis=0, dtype=np.int64).tolist()}

    def counts(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """Rows with each label."""
        return dict(zip(names, targets.sum(axis=0, dtype=np.int64).tolist(), strict=True))

    def doubts(self, targets: Targets) -> tuple[str, ...]:
        """Labels that may be none, or several."""
        return tuple(doubts(targets, self.spec.separator))

    def num_outputs(self, names: Sequence[str]) -> int:
        """One logit for each label."""
        return len(names)

    def loss(
        self, spec: LossSpec, training: np.ndarray, facts: Facts, device: "torch.device | str" = "cpu"
    ) -> LossFunction:
        """Mean loss of logits [B, L] and indicators [B, L]."""
        found: LossFunction = build(spec, training, facts, device)
        return found

    def as_linear(self, targets: Targets, facts: Facts) -> "LinearTargets":
        """The indicators of the labels."""
        from graft.transfer.closed_form.problem import LinearTargets

        return LinearTargets("sigmoid", targets.values.astype(np.float32), len(targets.names), self.strata(targets))

    def soften(self, targets: "Tensor", facts: Facts) -> "Tensor":
        """Indicators as float32 [B, L]."""
        return targets.float()

    def decide(self, outputs: "Tensor", facts: Facts) -> np.ndarray:
        """Probabilities [N, L], each of its own; taken in float64."""
        probabilities: np.ndarray = outputs.detach().cpu().double().sigmoid().numpy()
        return probabilities

    def calibrate(self, outputs: "Tensor", targets: np.ndarray, facts: Facts) -> dict[str, Any]:
        """Thresholds of the best F1."""
        return {"thresholds": fit_thresholds(self.decide(outputs, facts), targets)}

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, names: Sequence[str], facts: Facts
    ) -> dict[str, float]:
        """Metrics by name."""
        return score(predictions, targets, names, facts)

    def report(
        self,
        predictions: np.ndarray,
        targets: np.ndarray,
        ids: Sequence[str],
        names: Sequence[str],
        facts: Facts,
        seed: int = 0,
    ) -> dict[str, Any]:
        """With scores of each label."""
        return build_report(predictions, targets, ids, names, facts, seed)

    def figures(self, report: Mapping[str, Any], preview: Preview | None = None) -> dict[str, bytes]:
        """F1 of each label, and the worst samples if they can be shown."""
        return report_pictures(report, preview)

    def answers(
        self, predictions: np.ndarray, names: Sequence[str], facts: Facts, probabilities: bool = False
    ) -> dict[str, list[Any]]:
        """Column ``labels``, joined by the separator, and ``p(name)`` for every label if asked for."""
        decided = applied(predictions, facts)
        joined = [self.spec.separator.join(names[k] for k in np.flatnonzero(row).tolist()) for row in decided]
        columns: dict[str, list[Any]] = {"labels": joined}
        if probabilities:
            columns |= {f"p({name})": predictions[:, k].tolist() for k, name in enumerate(names)}
        return columns

    def labels(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, list[Any]]:
        """Column ``labels``, a list for each sample."""
        return {"labels": [[names[k] for k in np.flatnonzero(row).tolist()] for row in targets]}

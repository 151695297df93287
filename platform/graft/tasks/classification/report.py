"""Everything worth knowing about a classifier on one split, as one object that can be stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.tasks.classification.calibration import calibration_report
from graft.tasks.classification.intervals import interval
from graft.tasks.classification.metrics import (
    METRIC_NAMES,
    ClassScore,
    Floats,
    Integers,
    check,
    confusion,
    losses,
    per_class,
    ranked_classes,
    score,
)
from graft.tasks.intervals import Interval


@dataclass(frozen=True)
class Example:
    """One sample the model got badly wrong.

    Attributes:
        id: of the sample (path or index).
        label: name of its class.
        predicted: name of the class predicted.
        probability: of the class predicted.
        label_probability: of the class it is.
    """

    id: str
    label: str
    predicted: str
    probability: float
    label_probability: float


@dataclass(frozen=True)
class ClassificationReport:
    """A model's result on one split.

    Attributes:
        num_samples: samples scored.
        classes: names, in the order of the labels.
        metrics: by name.
        intervals: 95 % interval of each metric.
        confusion: counts, row = label, column = prediction.
        per_class: scores of each class.
        worst: wrongly predicted samples, the most surprising first.
        calibration: temperature, and calibration errors before and after it.
        undefined: why a metric has the value of a model that knows nothing, by its name.
    """

    num_samples: int
    classes: tuple[str, ...]
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScore, ...]
    worst: tuple[Example, ...]
    calibration: Mapping[str, Any] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, fit for JSON."""
        return {"format": 1, "task": "classification", **asdict(self)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "ClassificationReport":
        """The inverse of `to_dict`, also after JSON; unknown keys are ignored.

        Raises:
            ArtifactError: something is missing or of another kind.
        """
        try:
            return cls(
                num_samples=int(raw["num_samples"]),
                classes=tuple(raw["classes"]),
                metrics=dict(raw["metrics"]),
                intervals={name: _read(Interval, part) for name, part in raw["intervals"].items()},
                confusion=tuple(tuple(int(count) for count in row) for row in raw["confusion"]),
                per_class=tuple(_read(ClassScore, part) for part in raw["per_class"]),
                worst=tuple(_read(Example, part) for part in raw["worst"]),
                calibration=dict(raw.get("calibration", {})),
                undefined=dict(raw.get("undefined", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"evaluation report cannot be read ({type(error).__name__}: {error}); evaluate the model again"
            ) from error


def build_report(
    probs: Floats,
    labels: Integers,
    classes: Sequence[str],
    ids: Sequence[str] | None = None,
    seed: int = 0,
    num_worst: int = 20,
    temperature: float = 1.0,
) -> ClassificationReport:
    """Score predictions in every way there is.

    Args:
        probs: class probabilities [N, K].
        labels: [N].
        classes: K names.
        ids: N names of the samples; their positions if not given.
        seed: of the bootstrap.
        num_worst: how many wrong predictions to name at most.
        temperature: what the logits have been divided by.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a probability is not finite.
    """
    check(probs, labels)
    if ids is not None and len(ids) != len(labels):
        raise ValueError(f"there are {len(ids)} sample ids, but must be {len(labels)}, one a sample")
    named = ids if ids is not None else [str(row) for row in range(len(labels))]
    counts = confusion(probs.argmax(axis=1), labels, probs.shape[1])
    return ClassificationReport(
        num_samples=len(labels),
        classes=tuple(classes),
        metrics=score(probs, labels),
        intervals={name: interval(name, probs, labels, seed) for name in METRIC_NAMES},
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
        per_class=per_class(counts, classes),
        worst=_worst(probs, labels, classes, named)[:num_worst],
        calibration=calibration_report(probs, labels, temperature),
        undefined={} if ranked_classes(labels, probs.shape[1]) else {"auroc": "all samples are of one class"},
    )


def _worst(probs: Floats, labels: Integers, classes: Sequence[str], ids: Sequence[str]) -> tuple[Example, ...]:
    predicted = probs.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    surprising = wrong[np.argsort(-losses(probs, labels)[wrong], kind="stable")]
    return tuple(
        Example(
            id=str(ids[row]),
            label=classes[labels[row]],
            predicted=classes[predicted[row]],
            probability=float(probs[row, predicted[row]]),
            label_probability=float(probs[row, labels[row]]),
        )
        for row in surprising
    )


def _read(kind: type[Any], raw: Mapping[str, Any]) -> Any:
    known = kind.__dataclass_fields__
    return kind(**{key: value for key, value in raw.items() if key in known})

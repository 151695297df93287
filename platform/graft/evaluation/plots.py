"""Pictures of an evaluation: the confusion matrix, and the samples a model got most wrong."""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graft.evaluation.report import EvaluationReport, Example

# More classes than this are shown without names and counts, which nobody could read.
_NAMED_CLASSES = 20
_COLUMNS = 5


def confusion_picture(report: EvaluationReport) -> bytes:
    """The confusion matrix as a PNG; colours are shares of each class, numbers are counts."""
    counts = np.array(report.confusion)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    side = min(12.0, 3.0 + 0.45 * len(counts))
    figure = _figure(side, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the class")
    axes.set(xlabel="predicted", ylabel="is", title=f"{report.num_samples} samples")
    if len(counts) <= _NAMED_CLASSES:
        axes.set_xticks(range(len(counts)), report.classes, rotation=90)
        axes.set_yticks(range(len(counts)), report.classes)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
    return _png(figure)


def examples_picture(examples: Sequence[Example], images: Sequence[np.ndarray]) -> bytes:
    """The samples as a PNG, each with what it is, what it was taken for, and how surely.

    Args:
        examples: as the report has them, the most surprising first.
        images: of the same samples, uint8 [H, W, 1] or [H, W, 3].
    """
    rows = max(1, math.ceil(len(examples) / _COLUMNS))
    figure = _figure(2.2 * _COLUMNS, 2.7 * rows)
    for number, (example, image) in enumerate(zip(examples, images, strict=True), start=1):
        axes = figure.add_subplot(rows, _COLUMNS, number)
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        told = f"is {_short(example.label)}\nsays {_short(example.predicted)} ({example.probability:.0%})"
        axes.set_title(told, fontsize=9)
        axes.set_xlabel(_short(example.id, 28), fontsize=7)
        axes.set(xticks=[], yticks=[])
    if not examples:
        figure.text(0.5, 0.5, "no sample was predicted wrongly", ha="center")
    return _png(figure)


def _figure(width: float, height: float) -> Any:
    # Not pyplot: it keeps every figure, and picks a window system.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return stream.getvalue()


def _short(text: str, length: int = 18) -> str:
    return text if len(text) <= length else f"…{text[1 - length :]}"

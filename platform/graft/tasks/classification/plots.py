"""Pictures of an evaluation: the confusion matrix, and the samples a model got most wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graft.core.escaping import escaped
from graft.tasks.classification.report import ClassificationReport, Example
from graft.tasks.drawing import new_figure, samples_picture, shorten, to_png
from graft.tasks.protocol import Preview

# More classes than this are shown without names and counts, which nobody could read.
_NAMED_CLASSES = 20


def report_pictures(report: ClassificationReport, preview: Preview | None = None) -> dict[str, bytes]:
    """Pictures of a report by file name; the worst samples only if they can be shown."""
    pictures = {"confusion_matrix.png": confusion_picture(report)}
    if preview is not None:
        seen = preview([example.id for example in report.worst])
        pictures["worst_examples.png"] = examples_picture(report.worst, seen)
    return pictures


def confusion_picture(report: ClassificationReport) -> bytes:
    """The confusion matrix as a PNG; colours are shares of each class, numbers are counts."""
    counts = np.array(report.confusion)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    side = min(12.0, 3.0 + 0.45 * len(counts))
    figure = new_figure(side, side)
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, fraction=0.046, label="share of the class")
    axes.set(xlabel="predicted", ylabel="is", title=f"{report.num_samples} samples")
    if len(counts) <= _NAMED_CLASSES:
        names = [escaped(name) for name in report.classes]
        axes.set_xticks(range(len(counts)), names, rotation=90)
        axes.set_yticks(range(len(counts)), names)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
    return to_png(figure)


def examples_picture(examples: Sequence[Example], previews: Sequence[Any]) -> bytes:
    """The samples as a PNG, each with what it is, what it was taken for, and how surely.

    Args:
        examples: as the report has them, the most surprising first.
        previews: of the same samples, uint8 [H, W, 1] or [H, W, 3], or texts.
    """
    titles = [f"is {shorten(one.label)}\nsays {shorten(one.predicted)} ({one.probability:.0%})" for one in examples]
    return samples_picture(previews, titles, [one.id for one in examples])

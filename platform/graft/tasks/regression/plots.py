"""Pictures of a regression: predicted against true values, the residuals, and the samples that were missed by most."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from graft.core.escaping import escaped
from graft.tasks.drawing import new_figure, samples_picture, to_png
from graft.tasks.protocol import Preview

_MOST_TARGETS = 9


def report_pictures(report: Mapping[str, Any], preview: Preview | None = None) -> dict[str, bytes]:
    """Pictures of a report by file name; the worst samples only if they can be shown."""
    pictures = {"predicted_against_true.png": scatter_picture(report), "residuals.png": residuals_picture(report)}
    if preview is not None:
        worst = report["worst"]
        seen = preview([one["id"] for one in worst])
        titles = [_title(one) for one in worst]
        pictures["worst_examples.png"] = samples_picture(seen, titles, [one["id"] for one in worst])
    return pictures


def scatter_picture(report: Mapping[str, Any]) -> bytes:
    """Predicted against true values of each target; the line is a perfect prediction."""
    targets = report["targets"][:_MOST_TARGETS]
    figure = new_figure(4.2 * len(targets), 4.2)
    for number, name in enumerate(targets, start=1):
        points = np.array(report["points"][name])
        axes = figure.add_subplot(1, len(targets), number)
        ends = [points.min(), points.max()]
        axes.plot(ends, ends, color="0.6", linewidth=1)
        axes.scatter(points[:, 0], points[:, 1], s=8, alpha=0.5)
        axes.set(xlabel="is", ylabel="predicted", title=escaped(name))
    return to_png(figure)


def residuals_picture(report: Mapping[str, Any]) -> bytes:
    """Histogram of what is true minus what was predicted, of each target."""
    targets = report["targets"][:_MOST_TARGETS]
    figure = new_figure(4.2 * len(targets), 3.4)
    for number, name in enumerate(targets, start=1):
        histogram = report["residuals"][name]["histogram"]
        axes = figure.add_subplot(1, len(targets), number)
        axes.stairs(histogram["counts"], histogram["edges"], fill=True)
        axes.axvline(0, color="0.4", linewidth=1)
        axes.set(xlabel="true − predicted", ylabel="samples", title=escaped(name))
    return to_png(figure)


def _title(one: Mapping[str, Any]) -> str:
    # Of several targets the first are enough to recognise a sample by.
    lines = [f"is {value:.4g}, says {one['predicted'][name]:.4g}" for name, value in one["values"].items()]
    return "\n".join(lines[:2])

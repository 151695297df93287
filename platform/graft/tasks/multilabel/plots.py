"""Pictures of several labels: how each label fares, and the samples that were told worst."""

from collections.abc import Mapping, Sequence
from typing import Any

from graft.tasks.drawing import new_figure, samples_picture, shorten, to_png
from graft.tasks.protocol import Preview

_MOST_LABELS = 30


def report_pictures(report: Mapping[str, Any], preview: Preview | None = None) -> dict[str, bytes]:
    """Pictures of a report by file name; the worst samples only if they can be shown."""
    pictures = {"labels.png": labels_picture(report)}
    if preview is not None:
        worst = report["worst"]
        titles = [f"misses {_list(one['missed'])}\nadds {_list(one['added'])}" for one in worst]
        pictures["worst_examples.png"] = samples_picture(
            preview([one["id"] for one in worst]), titles, [one["id"] for one in worst]
        )
    return pictures


def labels_picture(report: Mapping[str, Any]) -> bytes:
    """F1 of the most frequent labels as bars."""
    ordered = sorted(report["per_label"], key=lambda one: -one["support"])[:_MOST_LABELS]
    figure = new_figure(7.0, 1.2 + 0.26 * len(ordered))
    axes = figure.add_subplot()
    axes.barh(range(len(ordered)), [one["f1"] or 0.0 for one in ordered])
    axes.set_yticks(range(len(ordered)), [f"{shorten(one['name'], 30)} ({one['support']})" for one in ordered])
    axes.invert_yaxis()
    others = len(report["per_label"]) - len(ordered)
    title = f"{report['num_samples']} samples" + (f", {others} rarer labels not shown" if others else "")
    axes.set(xlim=(0, 1), xlabel="F1", title=title)
    return to_png(figure)


def _list(names: Sequence[str]) -> str:
    if not names:
        return "nothing"
    return shorten(names[0]) + (f" +{len(names) - 1}" if len(names) > 1 else "")

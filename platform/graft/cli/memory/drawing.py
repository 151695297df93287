"""The map of tasks as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft.core.errors import ResourceError, SpecError
from graft.meta.memory.records import TaskEntry

SUFFIXES = (".png", ".svg", ".pdf")
_MARKS = "os^Dv*"


def draw_map(entries: Sequence[TaskEntry], points: np.ndarray, path: Path) -> None:
    """Draw the tasks: a colour a modality, a mark a question, larger with more rows.

    Raises:
        SpecError: the name does not say which kind of picture.
        ResourceError: it cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SpecError(f"--picture is `{path}`, but must end in {', '.join(SUFFIXES)}; name it so")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.add_subplot()
    modalities = sorted({one.modality for one in entries})
    kinds = sorted({one.task_kind for one in entries})
    for place, modality in enumerate(modalities):
        for mark, kind in zip(_MARKS * len(kinds), kinds, strict=False):
            some = [at for at, one in enumerate(entries) if (one.modality, one.task_kind) == (modality, kind)]
            if some:
                sizes = [20 + 30 * np.log10(max(entries[at].rows, 1)) for at in some]
                label = f"{modality} {kind}"
                axes.scatter(points[some, 0], points[some, 1], s=sizes, c=f"C{place % 10}", marker=mark, label=label)
    for one, (x, y) in zip(entries, points, strict=True):
        axes.annotate((one.title or one.task)[:30], (x, y), xytext=(5, 3), textcoords="offset points", fontsize=8)
    axes.set_title("Tasks, the nearer the more alike")
    if entries:
        axes.legend(loc="best", fontsize=8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ResourceError(f"{path} cannot be written ({error.strerror}); name another") from error

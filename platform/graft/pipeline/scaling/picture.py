"""Nodes against time as a picture."""

from collections.abc import Sequence
from pathlib import Path

from graft.clusters.autoscaling.bill import NodeCount
from graft.core.errors import SpecError

DOTS_PER_INCH = 110


def draw(over_time: Sequence[NodeCount], target: Path, title: str = "") -> None:
    """Draw a step line for each kind of node.

    Args:
        over_time: the changes.
        target: a PNG file.
        title: above it.

    Raises:
        SpecError: the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.add_subplot()
    end = over_time[-1].seconds
    unit, word = (60.0, "minutes") if end > 300 else (1.0, "seconds")
    for kind in over_time[0].nodes:
        axes.step(
            [one.seconds / unit for one in over_time], [one.nodes[kind] for one in over_time], where="post", label=kind
        )
    axes.set(xlabel=word, ylabel="nodes", title=title, ylim=(0, None))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    try:
        figure.savefig(target, dpi=DOTS_PER_INCH, format="png")
    except OSError as error:
        raise SpecError(f"--picture is {target}, but cannot be written: {error.strerror}; name another file") from error

"""What the pictures of all reports are made with."""

import io
import math
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from graft.core.escaping import escaped

_COLUMNS = 5
_TEXT_WIDTH, _TEXT_LINES = 26, 9


def new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches."""
    # Not pyplot: it keeps every figure, and picks a window system.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_png(figure: Any) -> bytes:
    """A figure as a PNG."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name that holds `$` is no formula
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; the report has the name itself.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        figure.savefig(stream, format="png", dpi=90)
    return stream.getvalue()


def shorten(text: str, length: int = 18) -> str:
    """The end of a text, which tells more of a path than its beginning."""
    text = escaped(text)
    return text if len(text) <= length else f"…{text[1 - length :]}"


def samples_picture(previews: Sequence[Any], titles: Sequence[str], ids: Sequence[str]) -> bytes:
    """Samples side by side, each with what is to be said of it.

    Args:
        previews: of each, uint8 [H, W, 1] or [H, W, 3], or a text.
        titles: what is said above each.
        ids: what is said below each.
    """
    rows = max(1, math.ceil(len(titles) / _COLUMNS))
    figure = new_figure(2.2 * _COLUMNS, 2.7 * rows)
    for number, (preview, title, name) in enumerate(zip(previews, titles, ids, strict=True), start=1):
        axes = figure.add_subplot(rows, _COLUMNS, number)
        _show(axes, preview)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(shorten(name, 28), fontsize=7)
        axes.set(xticks=[], yticks=[])
    if not titles:
        figure.text(0.5, 0.5, "no sample was predicted wrongly", ha="center")
    return to_png(figure)


def _show(axes: Any, preview: Any) -> None:
    if isinstance(preview, str):
        lines = textwrap.wrap(preview, _TEXT_WIDTH, max_lines=_TEXT_LINES, placeholder=" …") or ["(empty)"]
        axes.text(0.04, 0.96, "\n".join(map(escaped, lines)), va="top", fontsize=7, transform=axes.transAxes)
    else:
        axes.imshow(np.asarray(preview).squeeze(), cmap="gray", vmin=0, vmax=255)

"""Whether the cells of a column hold several labels with another mark between them than the one that is looked for."""

import json
from collections.abc import Iterable
from typing import Any

from graft.tasks.reading import LabelColumn, shown

MARKS = (
    *(";", "|", ",", "\n", "/", "+"),
    *("\N{IDEOGRAPHIC COMMA}", "\N{FULLWIDTH COMMA}", "\N{FULLWIDTH SEMICOLON}"),
)
"""What people write between several labels."""


def separator_question(column: LabelColumn, known: str, is_sure: bool = False) -> str:
    """What to ask of a column that may hold several labels a cell, up to the first reading; empty if it may not.

    It may, if a mark stands in some cells, in others less often, and most of what it parts is found alone or beside
    something else, too: `drama|comedy` and `comedy`. Of `Paris, France`, `Paris, Texas` and `Oslo` only Paris is.

    Args:
        column: of texts.
        known: the mark that is looked for anyway.
        is_sure: whether the job says that cells hold several labels: then a blank may part them, too, and all may have
            as many.
    """
    for mark in (*MARKS, " ") if is_sure else MARKS:
        if mark != known and (cell := parted_by(column.different, mark, is_sure)):
            written = json.dumps(mark, ensure_ascii=False)
            return (
                f"{column.where} holds {shown(cell)}, and parts of it in other cells, too: either cells hold several "
                f"labels (write task: {{kind: multilabel, separator: {written}}})"
            )
    return ""


def parted_by(cells: Iterable[Any], mark: str, is_even: bool = False) -> str:
    """The first cell of several labels, if that is what cells hold; empty if it is not.

    Args:
        cells: different ones; what is no text is passed over.
        mark: between the labels.
        is_even: whether all cells may have as many.
    """
    parted = {cell: frozenset(_parts(cell, mark)) for cell in cells if isinstance(cell, str)}
    several = {cell: parts for cell, parts in parted.items() if len(parts) > 1}
    if len(several) < 2 or (not is_even and len(set(map(len, parted.values()))) < 2):
        return ""
    companies: dict[str, set[frozenset[str]]] = {}
    for parts in parted.values():
        for part in parts:
            companies.setdefault(part, set()).add(parts)
    used = frozenset[str]().union(*several.values())
    again = sum(len(companies[part]) > 1 for part in used)
    return next(iter(several)) if 2 * again > len(used) else ""


def _parts(cell: str, mark: str) -> list[str]:
    return [part.strip() for part in cell.split(mark) if part.strip()]

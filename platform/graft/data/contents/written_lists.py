"""Lists as programs write them into one cell of a text table: Python's and JSON's, NumPy's, PostgreSQL's. Pure.

`['a', 'b']` is what a list becomes when a data frame is saved as CSV. Decided for a whole column: one cell in brackets
may be a name.
"""

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

_LONGEST = 64 * 1024
_BRACKETS = {"[": "]", "{": "}", "(": ")"}
_ITEM = re.compile(
    r"""\s*(?:(?P<quoted>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")|(?P<bare>[^\s,'"\[\](){}:]+))\s*(?P<comma>,?)"""
)


def read_written_lists(texts: Sequence[str]) -> list[list[Any]] | None:
    """Different cells of a column as lists of texts and whole numbers.

    Args:
        texts: the cells.

    Returns:
        None if one of them is no list, or if they may as well be names in brackets: one bare word in each.
    """
    found: list[list[Any]] = []
    is_sure = False
    for text in texts:
        cell = _list_in(text.strip())
        if cell is None:
            return None
        items, are_quoted = cell
        found.append(items)
        is_sure = is_sure or are_quoted or len(items) > 1
    return found if is_sure else None


def _list_in(text: str) -> tuple[list[Any], bool] | None:
    """The items of a list, and whether a quoted one is among them."""
    if len(text) > _LONGEST or len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return None
    if text[0] == "[" and (parsed := _of_json(text)) is not None:
        return parsed, any(isinstance(item, str) for item in parsed)
    items, any_quoted, place, end = [], False, 1, len(text) - 1
    while place < end and text[place:end].strip():
        match = _ITEM.match(text, place, end)
        if match is None:
            return None
        any_quoted = any_quoted or match["quoted"] is not None
        items.append(_unquoted(match["quoted"]) if match["quoted"] is not None else _bare(match["bare"]))
        place = match.end()
    # Words in round brackets are a remark, and several without a comma a name of several words.
    is_name = len(items) > 1 and "," not in text and any(isinstance(item, str) for item in items)
    return None if not any_quoted and (text[0] == "(" or is_name) else (items, any_quoted)


def _of_json(text: str) -> list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if all(isinstance(item, str | int | float) for item in found) else None


def _unquoted(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):  # a backslash that is none of Python's
        return text[1:-1]


def _bare(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text) if "_" not in text else text
        except ValueError:
            continue
    return text

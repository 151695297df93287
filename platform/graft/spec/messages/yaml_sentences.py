"""Our sentence for a place at which a text stops being YAML. Pure.

The parser's own words (libyaml's, or those of PyYAML where that is missing) are looked at, and never shown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_QUOTE = "put the value in quotes"
_NO_DIGITS = "has an escape such as `\\x` in double quotes without its digits; take single quotes"
_TAG = f"begins a value with `!`, which names a tag, and tags are not used in job files; {_QUOTE}"
# Part of what the parser says -> what is wrong, what is right, what to do. The first that fits counts.
_SENTENCES: Mapping[str, str] = {
    "mapping values": (
        f"has a `:` where no key can be; {_QUOTE} if it holds a `: `, line the key up with those around it, and see "
        "that the line above is `key: value` too"
    ),
    "unknown escape": "has a `\\` in double quotes that begins no escape; write `\\\\`, or take single quotes",
    "hexdecimal": _NO_DIGITS,
    "hexadecimal": _NO_DIGITS,
    "scanning an alias": f"begins a value with `*`, which names an alias in YAML; {_QUOTE}",
    "scanning an anchor": f"begins a value with `&`, which names an anchor in YAML; {_QUOTE}",
    "sequence entries": "has a list item `- ` behind a key; begin the list on the next line, or write it as [a, b]",
    "a block collection": "is a key among the items of a list; indent it, or put `- ` before it",
    "a block scalar": "has something behind `|` or `>`; begin the text on the next line, or put it in quotes",
    "undefined tag": _TAG,
    "scanning a tag": _TAG,
    "parsing a tag": _TAG,
    "node content": f"has a bracket or a comma where a value should be; remove it, or {_QUOTE}",
    "directive": f"begins with `%`, which YAML keeps for directives; remove it, or {_QUOTE}",
    "simple key": "is not `key: value`; a `: ` is missing, or a quote or bracket further up is not closed",
    "document start": "is not in line with the keys above it; indent all keys of a mapping alike",
    "a block mapping": (
        "does not go on as the lines above it; indent it as they are, close quotes, and leave nothing behind a closing "
        "one"
    ),
}
_OTHERWISE = "cannot be read from here on; look at quotes, brackets, colons and indentation"
_TAB = "is indented with a tab, but YAML takes blanks only; put blanks in its place"
# Blanks and colons that web pages, word processors and some keyboards have.
_ODD = re.compile(
    r"(?m)(?:^[ \t]*|:[ \t]*)(?P<blank>[\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff])|^[^:\n]*(?P<colon>\uff1a)"
)
_UNCLOSED = {"quoted": "a quote", "flow sequence": "a list with `[`", "flow mapping": "a mapping with `{`"}


@dataclass(frozen=True)
class Place:
    """1-based line, and column in it."""

    line: int
    column: int


def yaml_sentence(text: str, said: str, place: Place, opened: Place | None = None) -> tuple[str, Place]:
    """What to tell the user about an error of the parser, and about which place.

    Args:
        text: what was parsed.
        said: by the parser: its context and its problem.
        place: where it stopped.
        opened: where what it was reading began, if it says so.
    """
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        return _TAB, Place(place.line, indentation.index("\t") + 1)
    odd = _ODD.search("\n".join(lines[max(0, place.line - 2) : place.line]))
    if odd is not None:
        code = ord(odd["blank"] or odd["colon"])
        return f"has U+{code:04X}, which only looks like a blank or a colon; put a plain one in its place", place
    if "cannot start any token" in said:
        return f"begins a value with `{line[place.column - 1 :][:1]}`, which YAML keeps for itself; {_QUOTE}", place
    for part, what in _UNCLOSED.items():
        if part in said and opened is not None and (part != "quoted" or "end of stream" in said):
            return _unclosed(what, lines, place, opened)
    return next((told for part, told in _SENTENCES.items() if part in said), _OTHERWISE), place


def _unclosed(what: str, lines: Sequence[str], place: Place, opened: Place) -> tuple[str, Place]:
    is_at_end = place.line > len(lines) or (place.line == len(lines) and not lines[-1][place.column - 1 :].strip())
    if is_at_end or what == "a quote":
        return f"opens {what} that is not closed before the end of the text; close it", opened
    since = f"line {opened.line}, column {opened.column}"
    return f"has no comma or closing bracket, but {what} is open since {since}; add what is missing", place

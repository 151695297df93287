"""YAML to plain data, by the rules of YAML 1.2, with the line of every key.

PyYAML's own loader follows YAML 1.1: ``1e-4`` is a text, ``on`` is true, the second of two equal keys wins without a
word. So only its parser is used, and the values are read here (core schema of YAML 1.2, section 10.3).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from graft.spec.messages.rules import Finding, Path, shown
from graft.spec.messages.yaml_sentences import Place, yaml_sentence

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 40
_TOO_DEEP = f"is nested deeper than {_MAX_DEPTH} levels"
_MAX_VALUES = 100_000

_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NAMED: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# All but the printable characters of YAML 1.2, section 5.1.
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True)
class Document:
    """What a YAML text holds.

    Attributes:
        data: plain data; keys of mappings are always text.
        lines: 1-based line of each key and each item, by its path.
        findings: keys that are given twice; the first one is in `data`.
    """

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class YamlError(Exception):
    """The text is not YAML, or not YAML that a job file may use.

    Attributes:
        line: 1-based line, where known.
        column: 1-based column in it, where known.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message, line, column)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class _Node:
    """A value as written: a scalar, a list of nodes, or a list of pairs of key and node."""

    line: int
    scalar: Any = None
    items: "tuple[_Node, ...] | None" = None
    pairs: "tuple[tuple[str, int, _Node], ...] | None" = None


def read_yaml(text: str) -> Document:
    """Read one YAML document.

    Raises:
        YamlError: the text cannot be read; the message is a sentence about it.
    """
    try:
        root = _Composer(text).compose()
    except (yaml.reader.ReaderError, UnicodeEncodeError) as error:
        raise _unreadable_character(text) from error
    except yaml.YAMLError as error:
        raise _not_yaml(text, error) from error
    if root is None:
        return Document(None)
    expansion = _Expansion()
    data = expansion.plain(root, ())
    return Document(data, expansion.lines, tuple(expansion.findings))


def _not_yaml(text: str, error: yaml.YAMLError) -> YamlError:
    mark, context_mark = (getattr(error, name, None) for name in ("problem_mark", "context_mark"))
    said = f"{getattr(error, 'context', '')} {getattr(error, 'problem', '')}"
    place = _place(mark) if mark else Place(1, 1)
    # PyYAML 6.0.4 has a limit of its own, which it reaches before the composer reaches ours.
    if "nesting depth" in said:
        return YamlError(_TOO_DEEP, place.line, place.column)
    told, place = yaml_sentence(text, said, place, _place(context_mark) if context_mark else None)
    return YamlError(told, place.line, place.column)


def _unreadable_character(text: str) -> YamlError:
    """What PyYAML says of it counts bytes or characters, as its parser is."""
    found = _UNREADABLE.search(text)
    if found is None:
        return YamlError("holds a character that the parser cannot read; remove it")
    before = text[: found.start()]
    told = f"holds the character U+{ord(found[0]):04X}, which no text has; remove it"
    return YamlError(told, before.count("\n") + 1, found.start() - before.rfind("\n"))


class _Composer:
    """Builds nodes from the parser's events; the parser does not recurse, and this recurses to a known depth only."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)
        self._anchors: dict[str, _Node] = {}

    def compose(self) -> _Node | None:
        root: _Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise YamlError("starts a second document, but must hold one; remove the `---`", *_at(event))
                root = self._node(next(self._events), 0)
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise YamlError(_TOO_DEEP, *_at(event))
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlError(
                    f"uses `*{event.anchor}` before the value of `&{event.anchor}` is complete", *_at(event)
                )
            return self._anchors[event.anchor]
        node = self._fresh(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _fresh(self, event: Any, depth: int) -> _Node:
        line = _line(event)
        if event.tag not in (None, "!", _TEXT_TAG):
            raise YamlError(f"has the tag `{event.tag}`, but tags are not used in job files; remove it", *_at(event))
        if isinstance(event, yaml.ScalarEvent):
            return _Node(line, scalar=_scalar(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return _Node(line, items=tuple(self._items(depth)))
        return _Node(line, pairs=tuple(self._pairs(depth)))

    def _items(self, depth: int) -> Iterator[_Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[str, int, _Node]]:
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError(
                    "has a key that is not a plain name; put the value in quotes if it starts with `{` or `[`",
                    *_at(event),
                )
            _check_key(event)
            yield event.value, _line(event), self._node(next(self._events), depth + 1)


def _check_key(event: Any) -> None:
    """A key of which nobody would see what is wrong with it."""
    key: str = event.value
    if key == "<<" and event.implicit[0]:
        raise YamlError("has the key `<<`, which merges nothing here; write its keys out", *_at(event))
    odd = next((one for one in key if one not in " \t" and (one.isspace() or not one.isprintable())), "")
    if odd and event.implicit[0]:
        told = f"has U+{ord(odd):04X} in a key, which looks like a blank or like nothing; put plain blanks in its place"
        raise YamlError(told, *_at(event))


class _Expansion:
    """Nodes to plain data. An alias is a copy, so the number of values is bounded."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.findings: list[Finding] = []
        self._left = _MAX_VALUES

    def plain(self, node: _Node, path: Path) -> Any:
        self._left -= 1
        if self._left < 0 or len(path) > _MAX_DEPTH:
            raise YamlError(
                f"holds more than {_MAX_VALUES:,} values or {_MAX_DEPTH} levels once aliases are expanded", node.line
            )
        if node.items is not None:
            return [self._placed(item, (*path, index), item.line) for index, item in enumerate(node.items)]
        if node.pairs is None:
            return node.scalar
        mapping: dict[str, Any] = {}
        for key, line, value in node.pairs:
            place = (*path, key)
            if key in mapping:
                self.findings.append(Finding(place, _twice(self.lines[place], line)))
                continue
            mapping[key] = self._placed(value, place, line)
        return mapping

    def _placed(self, node: _Node, path: Path, line: int) -> Any:
        self.lines[path] = line
        return self.plain(node, path)


def _twice(first: int, again: int) -> str:
    return f"is given on line {first} and again on line {again}, but must be given once; remove one of the two"


def _scalar(event: Any) -> Any:
    text: str = event.value
    is_plain = event.implicit[0] and event.tag is None
    if not is_plain:
        return text
    if text in _NAMED:
        return _NAMED[text]
    if _OTHER_INT.fullmatch(text):
        return int(text, 0)
    if _INT.fullmatch(text):
        if len(text) > 100:
            raise YamlError(f"holds the number {shown(text)} of {len(text)} digits, which is too long", *_at(event))
        return int(text)
    if _FLOAT.fullmatch(text) or _INFINITE.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _line(event: Any) -> int:
    return _place(event.start_mark).line


def _at(event: Any) -> tuple[int, int]:
    place = _place(event.start_mark)
    return place.line, place.column


def _place(mark: Any) -> Place:
    return Place(int(mark.line) + 1, int(mark.column) + 1)

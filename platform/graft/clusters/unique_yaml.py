"""YAML of other programs, such as Ray's cluster files, by their own rules; but no key may be given twice."""

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from graft.core.errors import Problem, SpecError
from graft.core.private_files import read_regular

_MOST_BYTES = 16 << 20
_MOST_VALUES = 100_000


def documents_in(path: Path, what: str) -> list[Any]:
    """What a file holds.

    Args:
        path: of the file.
        what: it is, such as ``a cluster file``.

    Raises:
        SpecError: it cannot be read, or is no YAML that we take; one line that says where.
    """
    try:
        return _documents_in(path)
    except OSError as error:
        told, line = f"cannot be read: {error.strerror}; name {what}", None
    except UnicodeDecodeError:
        told, line = "is no text, but must be YAML in UTF-8; save it so", None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        told = f"is no valid YAML: {getattr(error, 'problem', None) or 'is no YAML'}; mend it"
        line = mark.line + 1 if mark else None
    except RecursionError:
        told, line = f"is nested too deeply for {what}; mend it", None
    raise SpecError([Problem("", told, str(path), line)])


def _documents_in(path: Path) -> list[Any]:
    """What a file holds.

    Raises:
        OSError: it cannot be read, or is no file, or too large.
        UnicodeDecodeError: it is not in UTF-8.
        YAMLError: it is no YAML, gives a key twice, or grows without bounds by its aliases.
        RecursionError: it is nested too deeply.
    """
    text = read_regular(path, _MOST_BYTES).decode()
    try:
        documents = list(yaml.load_all(text, _UniqueKeyLoader))
    except ValueError as error:  # of a date that there is not, or of a number with thousands of digits
        raise yaml.MarkedYAMLError(problem=f"a value of it cannot be read ({error})") from error
    size = _size(documents, {})
    if size == math.inf:
        raise yaml.MarkedYAMLError(problem="a part of it holds itself")
    if size > _MOST_VALUES:
        raise yaml.MarkedYAMLError(problem=f"it has {size:,} values where its aliases are written out")
    return documents


def _size(value: Any, known: dict[int, float]) -> float:
    """How many values there are where each is written out; infinity where one holds itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf  # until all that it holds is counted
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(one, known) for one in inside)
    return known[id(value)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which lets the last of two equal keys win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node.

        Raises:
            ConstructorError: a key is given twice in it; it has the line of the second.
        """
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            written = (key.tag, str(key.value))
            line = key.start_mark.line + 1
            if written in lines:
                told = f"`{written[1]}` is given on line {lines[written]} and again on line {line}"
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            lines[written] = line
        return super().construct_mapping(node, deep)

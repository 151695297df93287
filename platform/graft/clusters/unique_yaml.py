"""YAML of other programs, such as Ray's cluster files, by their own rules; but no key may be given twice."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from graft.core.private_files import read_regular

_MOST_BYTES = 16 << 20


def documents_in(path: Path) -> list[Any]:
    """What a file holds.

    Raises:
        OSError: it cannot be read, or is no file, or too large.
        UnicodeDecodeError: it is not in UTF-8.
        YAMLError: it is no YAML, or gives a key twice.
        RecursionError: it is nested too deeply.
    """
    return list(yaml.load_all(read_regular(path, _MOST_BYTES).decode(), _UniqueKeyLoader))


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

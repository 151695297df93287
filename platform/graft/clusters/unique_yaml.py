"""YAML of other programs, such as Ray's cluster files, by their own rules; but no key may be given twice."""

from collections.abc import Hashable
from typing import Any

import yaml

MOST_BYTES = 16 << 20
"""Of such a file."""


class UniqueKeyLoader(yaml.SafeLoader):
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

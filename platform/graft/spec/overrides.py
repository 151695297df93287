"""``--set training.epochs=3``: values from the command line, put into the raw job before it is validated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graft.core.errors import Problem
from graft.spec.messages.rules import shown
from graft.spec.space.distributions import NAMES
from graft.spec.yaml_text import YamlError, read_yaml


@dataclass(frozen=True)
class Override:
    """One value for one key.

    Attributes:
        path: the keys down to it.
        value: plain data.
    """

    path: tuple[str, ...]
    value: Any


def read_overrides(texts: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    """Read ``a.b=value`` texts; a value is read as YAML.

    Returns:
        The overrides that could be read, and what is wrong with the others.
    """
    overrides: list[Override] = []
    problems: list[Problem] = []
    for text in texts:
        key, sign, value = text.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not sign or not all(path):
            told = f"is {shown(text)}, but must be a dotted key and a value, as in `--set training.epochs=3`"
            problems.append(Problem("--set", told))
            continue
        try:
            document = read_yaml(value)
        except YamlError as error:
            problems.append(Problem(f"--set {key}", error.message))
            continue
        problems += [Problem(f"--set {key}", "gives a key twice") for _ in document.findings[:1]]
        overrides.append(Override(path, document.data))
    return overrides, problems


def apply_override(raw: dict[str, Any], override: Override) -> list[tuple[str, ...]]:
    """Put the value into `raw`, in place, making the mappings on the way.

    A component that stands as a bare name becomes a mapping, so ``penalty.strength`` can be set on ``penalty: l2``;
    so does a search that stands as the list of its phases.

    Returns:
        The paths of the mappings that were made.

    Raises:
        ValueError: something on the way holds no keys; the message is the end of a sentence about the override.
    """
    here = raw
    made: list[tuple[str, ...]] = []
    for depth, part in enumerate(override.path[:-1], start=1):
        inner = here.get(part)
        if inner is None:
            inner = {}
            made.append(override.path[:depth])
        elif isinstance(inner, str):
            inner = {"kind": inner}
        elif isinstance(inner, list) and override.path[:depth] == ("search",):
            inner = {"phases": inner}
        elif not isinstance(inner, dict):
            above = ".".join(override.path[:depth])
            raise ValueError(
                f"cannot be set, because {above} is {shown(inner)} and holds no keys; set {above} as a whole"
            )
        here[part] = inner
        here = inner
    if override.path[0] == "strategy" and override.path[-1] in NAMES:
        here.clear()  # a distribution stands alone, so a new one takes the place of what was there
    here[override.path[-1]] = override.value
    return made

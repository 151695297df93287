"""What `ray start` is told of a node's resources: by a command, or by the parameters of KubeRay."""

import json
import math
import shlex
from collections.abc import Mapping
from typing import Any

from graft.core.errors import Problem, SpecError

_KINDS = {"num-cpus": "CPU", "num-gpus": "GPU"}


def options_of(key: str, command: str) -> dict[str, str]:
    """The options of a command, without their dashes.

    Args:
        key: where the command stands.
        command: of a shell.

    Raises:
        SpecError: no shell could read it.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SpecError([Problem(key, f"is no command that a shell can read ({error}); mend it")]) from error
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            found[name[2:]] = value if equals else following
    return found


def resources_of(key: str, options: Mapping[str, str]) -> dict[str, float]:
    """What a node has, by Ray's names; only what is said.

    Args:
        key: where the options stand.
        options: of `ray start`, without their dashes.

    Raises:
        SpecError: an amount is none.
    """
    found = {kind: _amount(key, name, options[name]) for name, kind in _KINDS.items() if name in options}
    if "resources" in options:
        text = options["resources"]
        try:
            own = json.loads(text.strip("'"))
        except ValueError:
            own = None
        if not isinstance(own, dict):
            told = f"resources is `{text}`, but must be a JSON object of names and amounts"
            raise SpecError([Problem(key, f'{told}, such as {{"safe": 16}}; mend it')])
        found |= {name: _amount(key, f"resources.{name}", amount) for name, amount in own.items()}
    return found


def _amount(key: str, name: str, given: Any) -> float:
    try:
        amount = float(given)
    except (TypeError, ValueError):
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise SpecError([Problem(key, f"{name} is `{given}`, but must be a number >= 0; write one")])
    return amount

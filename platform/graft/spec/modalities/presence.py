"""Whether a job's data are there, before anything that takes seconds is imported for them."""

from collections.abc import Iterator
from pathlib import Path

from graft.core.errors import Problem
from graft.core.uris import advice_for_missing, is_there
from graft.spec.modalities.base import DataSpec

_WILD = frozenset("*?[{")


def presence_problems(data: DataSpec) -> Iterator[Problem]:
    """That nothing is where the job says that its data are, as far as a glance at this machine tells.

    What is in a store, or named by a pattern, is left to who lists it.
    """
    path = getattr(data, "path", None)
    if not isinstance(path, Path) or "path" not in data.model_fields_set or _WILD & {*str(path)}:
        return
    try:
        found = is_there(path)
    except OSError:  # who reads it says what is in the way
        return
    if not found:
        yield Problem("data.path", f"is {path}, but there is nothing there; {advice_for_missing(path)}")

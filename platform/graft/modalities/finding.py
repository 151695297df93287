"""The samples that a user means by files, folders and tables."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from graft.core.errors import DataError, Problem, SpecError

Sample = TypeVar("Sample")


def find_all(given: Iterable[str | Path], expand: Callable[[Path], Iterable[Sample]]) -> list[Sample]:
    """What each of the given means, in order.

    Args:
        given: as the command line has them.
        expand: the samples of one; SpecError or DataError if it is missing or holds none.

    Raises:
        SpecError: all problems at once.
    """
    found: list[Sample] = []
    problems: list[Problem] = []
    for path in map(Path, given):
        try:
            found += expand(path)
        except SpecError as error:
            problems += error.problems
        except DataError as error:
            problems.append(Problem("", str(error)))
    if problems:
        raise SpecError(problems)
    return found

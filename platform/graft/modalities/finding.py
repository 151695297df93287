"""The samples that a user means by files, folders and tables."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from graft.core.errors import DataError, Problem, SpecError
from graft.data.folders.labelled import FilesBelow
from graft.data.overview import Ignored, Tally, told_ignored

Sample = TypeVar("Sample")


class Found(list[Sample]):
    """Samples, in order, and what lies beside them.

    Attributes:
        ignored: what of the folders is no sample, by its reason.
    """

    def __init__(self, samples: Iterable[Sample] = (), ignored: tuple[Ignored, ...] = ()) -> None:
        super().__init__(samples)
        self.ignored = ignored


def find_all(given: Iterable[str | Path], expand: Callable[[Path], Iterable[Sample]]) -> Found[Sample]:
    """What each of the given means, in order.

    Args:
        given: as the command line has them.
        expand: the samples of one; SpecError or DataError if it is missing or holds none.

    Raises:
        SpecError: all problems at once.
    """
    found: list[Sample] = []
    ignored: list[Ignored] = []
    problems: list[Problem] = []
    for path in map(Path, given):
        try:
            some = expand(path)
            found += some
            ignored += left_out_of(some)
        except SpecError as error:
            problems += error.problems
        except DataError as error:
            problems.append(Problem("", str(error)))
    if problems:
        raise SpecError(problems)
    return Found(found, Tally(ignored).result())


def found_below(directory: Path, below: FilesBelow, noun: str) -> Found[Path]:
    """The samples of a folder.

    Args:
        directory: as it was given.
        below: what lies in it.
        noun: what a sample is called.

    Raises:
        SpecError: it holds none; says what else it holds.
    """
    if not below.files:
        left_out = f" (left out: {told_ignored(below.ignored)})" if below.ignored else ""
        raise SpecError(f"{directory} holds no {noun}{left_out}; name a folder that does")
    return Found(below.files, below.ignored)


def left_out_of(samples: Any) -> tuple[Ignored, ...]:
    """What lies beside samples, however a modality has found them."""
    return samples.ignored if isinstance(samples, Found) else ()

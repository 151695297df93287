"""Every error graft raises on purpose, split by what the caller does next.

GraftError                 exit 1
├── SpecError              exit 2   fix the job file (or the argument)
├── DataError              exit 2   fix the data
├── ResourceError          exit 3   wait, shrink the request, or free something
│   └── NodeLeaving                 go on elsewhere, from what is on the disk
├── TrialError             exit 1   one trial ended badly; the search goes on
├── ArtifactError          exit 1   a stored file is missing, damaged or foreign
├── TrackingError          exit 1   the tracking store cannot be used
│   └── StoreBusyError              ask again
└── Interrupted            exit 130 the user asked to stop; the best so far is kept (143 where SIGTERM asked)

A message reads *value, then rule, then what to do*. Every error survives a pickle round trip, because errors cross
process borders in Ray.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from graft.core.credentials import redact


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a job file.

    Attributes:
        where: dotted key, such as ``strategy.freeze``; empty when the whole file is meant.
        message: value, then rule, then what to do.
        file: the file it stands in, if it came from one.
        line: 1-based line in that file.
        column: 1-based column in that line, where it matters.
    """

    where: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        key = f"{self.where}:" if self.where else ""
        return " ".join(part for part in (place, key, self.message) if part)


class GraftError(Exception):
    """Root of everything graft raises on purpose. Its text is printed, logged and journalled: it holds no password."""

    exit_code = 1

    def __init__(self, *args: Any) -> None:
        super().__init__(*(redact(one) if isinstance(one, str) else one for one in args))


class SpecError(GraftError):
    """The job file, or an argument, is wrong; all problems are reported at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        given = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        found = tuple(replace(problem, message=redact(problem.message)) for problem in given)
        super().__init__("\n".join(str(problem) for problem in found))
        self.problems = found

    def __reduce__(self) -> tuple[type["SpecError"], tuple[tuple[Problem, ...]]]:
        return (type(self), (self.problems,))


class DataError(GraftError):
    """The data cannot be used as it is."""

    exit_code = 2


class ResourceError(GraftError):
    """Something the machine or the cluster should give is not there (memory, disk, a writable directory)."""

    exit_code = 3


class NodeLeaving(ResourceError):  # noqa: N818 - not a fault of anything
    """The node is about to be taken away; what was done so far is on the disk."""


class TrialError(GraftError):
    """One trial ended badly; the search goes on without it."""


class ArtifactError(GraftError):
    """A stored file (weights, bundle, dataset, journal) is missing, damaged or of another format."""


class TrackingError(GraftError):
    """The tracking store cannot be used."""


class StoreBusyError(TrackingError):
    """The tracking store is in use by others for now; what was asked of it may be asked again."""


class Interrupted(GraftError):  # noqa: N818 - not a fault of anything
    """The user asked to stop; whatever was best so far has been kept."""

    exit_code = 130

"""What files of the user say of networks before anything heavy is imported, and what that leaves to `graft plan`."""

from collections.abc import Iterator

from graft.core.errors import Problem
from graft.models.zoo import glance_problem, is_told_by_files
from graft.spec.job import Job

_EDITS = ("structure", "tune")


def glanced_problems(job: Job) -> Iterator[Problem]:
    """What is wrong with the files of a job's networks, as far as headers and configurations tell.

    Raises:
        ResourceError: a file cannot be read at the moment.
    """
    for name in job.reach.values("backbone"):
        if is_told_by_files(name) and (told := glance_problem(name)):
            yield Problem("strategy.backbone", f"is {name}, but {told}")


def left_by_a_glance(job: Job) -> list[str]:
    """What these files do not tell, to follow "only graft plan finds out"."""
    names = filter(is_told_by_files, job.reach.values("backbone"))
    edits = [f"strategy.{key}" for key in _EDITS if key in dict(job.reach.root.fields)]
    layers = f", and whether it has the layers of {' and '.join(edits)}" if edits else ""
    return [f"whether {name} takes such samples, and whether its weights fit{layers}" for name in names]

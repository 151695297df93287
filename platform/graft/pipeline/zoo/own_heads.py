"""Penalties that need the head that a backbone was pretrained with: which backbones of a job come without it."""

from collections.abc import Callable, Iterator

from graft.core.errors import Problem, SpecError
from graft.models.load import describe_backbone
from graft.models.weights.source_head import source_head_problem
from graft.models.zoo import find_entry, name_problem
from graft.spec.job import Job
from graft.spec.registry import members

_WHERE = "strategy.penalty"


def is_known_headless(name: str) -> bool:
    """Whether a backbone comes without its head, where no library need be asked."""
    info = None if name_problem(name) else find_entry(name).info
    return info is not None and info.source_head is False


def is_headless(name: str) -> bool:
    """Whether a backbone that there is comes without its head, as far as it shows without reading weights."""
    return describe_backbone(name).source_head is False


def headless_problems(job: Job, is_without: Callable[[str], bool] = is_known_headless) -> Iterator[Problem]:
    """Penalties that no backbone of a job can have: each comes without the head that they need.

    Where some come with it, the others are trained without the penalty, which is a note.

    Args:
        job: which.
        is_without: whether a backbone comes without its head, as far as that is known.
    """
    names = job.reach.values("backbone")
    if not names or not all(map(is_without, names)):
        return
    for kind in needing_head(job):
        told = f"is {kind}, which needs the head that a backbone was pretrained with, but {_without(names)}"
        yield Problem(_WHERE, f"{told}; take another penalty, or weights with their classifier")


def check_own_heads(job: Job) -> None:
    """Look into the weights that are here for the head that a penalty needs, where nothing else tells what they hold.

    Raises:
        SpecError: one lacks it; all such problems.
    """
    if needing_head(job):
        names = [name for name in job.reach.values("backbone") if describe_backbone(name).source_head is None]
        if told := [problem for name in names if (problem := source_head_problem(name))]:
            raise SpecError([Problem(_WHERE, problem) for problem in told])


def needing_head(job: Job) -> list[str]:
    """The penalties of a job that need the head that a backbone was pretrained with."""
    kinds = dict.fromkeys(job.reach.values("penalty"))
    return [kind for kind in kinds if getattr(members("penalty").get(kind), "needs_source_head", False)]


def _without(names: tuple[str, ...]) -> str:
    return f"{', '.join(names)} {'come' if names[1:] else 'comes'} without it"

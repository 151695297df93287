"""What a job tries before anything is drawn, with what each of its solved heads takes."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace

from graft.learner.prefix import Prefix, prefix_of
from graft.meta.recommend.head_order import First, Work
from graft.spec.defaults.closed_form import Size
from graft.spec.defaults.head_seconds import seconds_of
from graft.spec.job import Job
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members
from graft.spec.strategy import Strategy


def first_of(job: Job, counts: Mapping[str, int], slots: int) -> First:
    """What the search of a job begins with; heads of sizes whose cost nobody knows keep their places, as trainings do.

    Args:
        job: resolved.
        counts: samples by split.
        slots: trials at a time.
    """
    spec = members("modality").get(job.data.modality)
    sizes = spec.feature_sizes(job.data) if spec is not None and issubclass(spec, ModalitySpec) else ()
    prefixes = [prefix_of(one) if one.head.is_solved else None for one in job.first]
    deepest: dict[str, int] = {}
    for prefix in prefixes:
        if prefix is not None:
            deepest[_pass_of(prefix)] = max(prefix.cut, deepest.get(_pass_of(prefix), 0))
    works = (_work(*one, deepest, sizes, counts) for one in zip(job.first, prefixes, strict=True))
    return First(job.first, tuple(works), slots)


def _work(
    strategy: Strategy,
    prefix: Prefix | None,
    deepest: Mapping[str, int],
    sizes: Sequence[Size],
    counts: Mapping[str, int],
) -> Work | None:
    if prefix is None:
        return None
    seconds = seconds_of(strategy, sizes, counts["train"], counts["validation"])
    name = _pass_of(prefix)
    return None if seconds is None else Work(name, *seconds, prefix.cut == deepest[name])


def _pass_of(prefix: Prefix) -> str:
    """Names the pass through the network: its features of any depth are pooled on the way."""
    return repr(astuple(replace(prefix, cut=0, pool="")))

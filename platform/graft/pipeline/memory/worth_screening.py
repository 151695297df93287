"""Which backbones of a job are worth being scored before its trials, and on how many rows. Pure; loads no network."""

from dataclasses import asdict
from typing import Any

from graft.learner.prefix_plan import blocks_below, drawn_strategies, plan_prefixes
from graft.modalities.registry import build_modality
from graft.models.load import check_backbone
from graft.search.screening.allowance import Allowance, Effort, allowance
from graft.search.screening.report import Candidate
from graft.spec.job import Job
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members
from graft.spec.search.searchers import MetaSearcher
from graft.spec.strategy import Strategy

MOST_DEPTHS = 3


def worth_screening(
    job: Job, rows: int, seconds: float | None, phase: int = 0
) -> tuple[tuple[Candidate, ...], Allowance]:
    """What is to be scored, and what it may cost.

    Args:
        job: resolved.
        rows: that trials are trained on.
        seconds: that are left for the search; None is no limit.
        phase: that begins.
    """
    searcher = job.phases[phase].searcher
    share = searcher.screening if isinstance(searcher, MetaSearcher) else 0.0
    candidates = candidates_of(job) if share else ()
    passes = plan_prefixes(job).passes(blocks_below) if len(candidates) > 1 else 0.0
    return candidates, allowance(candidates, Effort(rows, passes, seconds), share)


def plan_of(job: Job, rows: int) -> dict[str, Any]:
    """What a run will score before its trials, as `graft plan --json` has it.

    ``candidates``: ``backbone``, ``depth``, ``size``; ``rows`` of the sample, 0 if nothing is scored; ``told``.

    Args:
        job: resolved.
        rows: that trials are trained on.
    """
    unusable = [name for name in job.reach.values("backbone") if check_backbone(name, weights=False)]
    if unusable:
        return {"candidates": [], "rows": 0, "told": f"none: {unusable[0]} cannot be used"}
    minutes = job.search.budget.minutes
    candidates, allowed = worth_screening(job, rows, 60 * minutes if minutes else None)
    told = allowed.reason if allowed.rows else f"none: {allowed.reason}"
    return {"candidates": [asdict(one) for one in candidates], "rows": allowed.rows, "told": told}


def candidates_of(job: Job) -> tuple[Candidate, ...]:
    """The backbones of a job's space at the depths that it keeps; none where the modality has no reference.

    Inputs have the size of the reference that all tasks are compared with, or a smaller one if the job has no larger.
    """
    backbones = job.space.values("backbone")
    spec = members("modality").get(job.data.modality)
    reference = spec.reference if spec is not None and issubclass(spec, ModalitySpec) else {}
    varies = len(backbones) > 1 or any(key.startswith("structure") for key in job.space.distributions())
    if not reference or not varies:
        return ()
    modality = build_modality(job.data.modality)
    size = min(modality.size(Strategy.model_validate(reference)), *modality.sizes(job.reach))
    depths = _depths(job)
    return tuple(Candidate(name, depth, size) for name in backbones for depth in depths)


def _depths(job: Job) -> tuple[float, ...]:
    """Shares of the blocks that strategies keep, in tenths, the whole first; of many three."""
    kept = sorted({max(0.1, round(one.structure.keep, 1)) for one in drawn_strategies(job)}, reverse=True)
    if len(kept) <= MOST_DEPTHS:
        return tuple(kept)
    return (kept[0], kept[len(kept) // 2], kept[-1])

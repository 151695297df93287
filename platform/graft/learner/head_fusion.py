"""Whether trials that train nothing but a head are trained together, and how many. Pure."""

from graft.learner.prefix import prefix_of
from graft.learner.prefix_plan import drawn_strategies, plan_prefixes
from graft.models.load import blocks_of
from graft.spec.job import Job
from graft.spec.tasks.classification import CrossEntropy
from graft.workers.allocation import Allocation

HEADS_AT_ONCE = 16


def reason_not_fused(job: Job, allocation: Allocation) -> str:
    """Why each trial is trained by itself, for the user; empty if trials are trained together.

    On CPUs it does not pay (`tests/benchmarks/fused_heads.py`), so there it takes ``resources.fuse_heads: always``.
    """
    wish = job.resources.fuse_heads
    if wish == "never":
        return "resources.fuse_heads is never"
    if job.resources.workers > 1:
        return "a trial has several workers"
    if job.search.evaluation.is_of_all:
        return "each trial trains a model for each fold"
    if reason := _why_heads_differ(job):
        return reason
    if wish == "auto" and not allocation.gpus:
        return "on CPUs it does not pay; resources.fuse_heads: always wants it all the same"
    return ""


def heads_at_once(job: Job, allocation: Allocation, trials: int | None) -> int:
    """How many trials are open at once when they are trained together, in `allocation.concurrent` processes."""
    most = HEADS_AT_ONCE * allocation.concurrent
    return max(1, min(most, job.resources.concurrent_trials or most, trials or most))


def _why_heads_differ(job: Job) -> str:
    wanted = plan_prefixes(job).wanted
    for strategy in (*drawn_strategies(job), *job.first):
        if strategy.head.is_solved:
            return f"the space holds the head {strategy.head.kind}, which is solved and not trained"
        prefix = prefix_of(strategy)
        num_blocks = len(blocks_of(strategy.backbone, strategy.structure))
        if prefix is None or prefix.cut < num_blocks:
            return "the space also trains blocks, or samples that are new in every epoch"
        if prefix not in wanted:
            return "too few trials share their frozen blocks"
        if strategy.init.map_shape:
            return "the space maps features by a meta-model"
        if strategy.scales_features(num_blocks):
            return "the space standardises or selects features"
        if strategy.sam:
            return "the space takes sharpness-aware steps, which need two passes"
        if not isinstance(strategy.loss, CrossEntropy):
            return f"the space holds the loss {strategy.loss.kind}, but only cross_entropy is computed together"
    return ""

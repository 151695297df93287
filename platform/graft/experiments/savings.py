"""What a search has saved by computing frozen blocks once: predicted against measured."""

from collections.abc import Iterable
from typing import Any

from graft.experiments.progress import Progress, TrialProgress
from graft.learner.phases.head_phase import head_epochs, head_prefix_of
from graft.learner.prefix import Prefix, prefix_of
from graft.learner.prefix_plan import blocks_below, plan_prefixes
from graft.spec.job import Job
from graft.spec.strategy import Strategy

COUNTED = ("hits", "misses", "built_bytes")


def savings(job: Job, progress: Progress) -> dict[str, Any]:
    """`cache` (stored sets of features that were used and built) and `speedup` (`predicted`, `measured`).

    Measured is the time that the epochs would have taken with every pass through the frozen blocks, over the time they
    took with what was computed; None where no pass was timed, because nothing had to be computed. The time of a pass is
    that of computing the features, so where those of a deeper cut came from a shallower one, it is underestimated, and
    so it is where a trial has read features of two cuts.
    """
    trials = list(progress.trials.values())
    cache: dict[str, float] = {name: int(sum(trial.cache.get(name, 0.0) for trial in trials)) for name in COUNTED}
    built = sum(trial.cache.get("seconds", 0.0) for trial in trials)
    speed_up = {
        "predicted": round(plan_prefixes(job).speed_up(blocks_below).predicted, 3),
        "measured": _measured(trials, built, job.epochs),
    }
    return {"cache": {**cache, "seconds_building": round(built, 2)}, "speedup": speed_up}


def _measured(trials: Iterable[TrialProgress], built: float, epochs: int) -> float | None:
    read = {trial.trial: _read(trial, epochs) for trial in trials if trial.cache}
    passes: dict[Prefix | None, float] = {}
    for trial in trials:
        if trial.trial in read and "pass_seconds" in trial.cache:
            passes[read[trial.trial][0]] = trial.cache["pass_seconds"]
    trained = sum(sum(trial.epoch_seconds) for trial in trials)
    saved = sum(passes.get(prefix, 0.0) * count for prefix, count in read.values())
    return round((trained + saved) / (trained + built), 3) if passes and trained else None


def _read(trial: TrialProgress, epochs: int) -> tuple[Prefix | None, int]:
    """The blocks whose features a trial has gone on from, and in how many of its epochs."""
    strategy, trained = Strategy.read_stored(trial.strategy), len(trial.epoch_seconds)
    frozen = prefix_of(strategy)
    return (frozen, trained) if frozen else (head_prefix_of(strategy), min(head_epochs(strategy, epochs), trained))

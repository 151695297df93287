"""What a search has saved by computing frozen blocks once: predicted against measured."""

from collections.abc import Iterable
from typing import Any

from graft.experiments.progress import Progress, TrialProgress
from graft.learner.prefix import Prefix, prefix_of
from graft.learner.prefix_plan import blocks_below, plan_prefixes
from graft.spec.job import Job
from graft.spec.strategy import Strategy

COUNTED = ("hits", "misses", "built_bytes")


def savings(job: Job, progress: Progress) -> dict[str, Any]:
    """`cache` (stored sets of features that were used and built) and `speedup` (`predicted`, `measured`).

    Measured is the time that the epochs would have taken with every pass through the frozen blocks, over the time they
    took with what was computed; None where no pass was timed, because nothing had to be computed. The time of a pass is
    that of computing the features, so where those of a deeper cut came from a shallower one, it is underestimated.
    """
    trials = list(progress.trials.values())
    cache: dict[str, float] = {name: int(sum(trial.cache.get(name, 0.0) for trial in trials)) for name in COUNTED}
    built = sum(trial.cache.get("seconds", 0.0) for trial in trials)
    speed_up = {
        "predicted": round(plan_prefixes(job).speed_up(blocks_below).predicted, 3),
        "measured": _measured(trials, built),
    }
    return {"cache": {**cache, "seconds_building": round(built, 2)}, "speedup": speed_up}


def _measured(trials: Iterable[TrialProgress], built: float) -> float | None:
    passes: dict[Prefix, float] = {}
    for trial in trials:
        prefix = _prefix(trial)
        if prefix is not None and "pass_seconds" in trial.cache:
            passes[prefix] = trial.cache["pass_seconds"]
    trained = sum(sum(trial.epoch_seconds) for trial in trials)
    saved = sum(passes.get(prefix, 0.0) * len(trial.epoch_seconds) for trial in trials if (prefix := _prefix(trial)))
    return round((trained + saved) / (trained + built), 3) if passes and trained else None


def _prefix(trial: TrialProgress) -> Prefix | None:
    """The frozen blocks whose features a trial has gone on from."""
    if not trial.cache:
        return None
    strategy = Strategy.read_stored(trial.strategy)
    return prefix_of(strategy)

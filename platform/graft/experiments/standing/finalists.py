"""Which trials are scored by folds once a search has ended (`search.evaluation.top`). Pure."""

from collections.abc import Mapping

from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.candidates import MOST_SOLVED
from graft.experiments.standing.choice import choose, is_solved, steady
from graft.spec.search.evaluation import EvaluationSpec


def finalists_of(progress: Progress, spec: EvaluationSpec) -> list[TrialProgress]:
    """The best of the trainings, as many as the job says, and of the heads that were solved; the winner so far first.

    A trial that the scheduler stopped early is none: what it would be worth at its end nobody knows.
    """
    if spec.folds is None or spec.top is None or not any(one.best_epoch for one in progress.trials.values()):
        return []
    winner = choose(progress, by_estimates=False).trial
    ended = [one for one in progress.trials.values() if one.best_epoch and one.status == "completed"]
    ranked = sorted(ended, key=lambda one: progress.metric.best_first(steady(one), one.trial))
    solved = [one for one in ranked if is_solved(one)][:MOST_SOLVED]
    trained = [one for one in ranked if not is_solved(one)][: spec.top]
    found = [one for one in ranked if one in solved or one in trained]
    if is_solved(winner) or spec.top:
        found = [winner, *(one for one in found if one is not winner)]
    return found


def seconds_of(trial: TrialProgress, spec: EvaluationSpec, counts: Mapping[str, int]) -> float:
    """How long the folds of a trial take, judged by its own epochs."""
    if spec.folds is None or not trial.epoch_seconds:
        return 0.0
    epochs = 1 if is_solved(trial) else trial.epoch
    each = trial.mean_epoch
    rows = counts["train"] + counts["validation"]
    return each * epochs * spec.repeats * (spec.folds - 1) * rows / counts["train"]

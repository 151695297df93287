"""When a search had which best model, and why its trials were tried: what ``graft run --json`` tells of its way."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.journal import read
from graft.spec.metrics import MetricSpec

NAMED = "one of search.first, which are tried before any is drawn"


def way_of(journal_file: Path, progress: Progress) -> dict[str, Any]:
    """The keys ``first_model_s`` (None if there was no model), ``curve`` and ``recommended`` of the result."""
    curve = best_so_far((event for _, event in read(journal_file)), progress.metric)
    return {
        "first_model_s": curve[0][0] if curve else None,
        "curve": [list(point) for point in curve],
        "recommended": recommended_trials(progress),
    }


def best_so_far(story: Iterable[events.Event], metric: MetricSpec) -> list[tuple[float, float]]:
    """(seconds, best validation value) at each report that is better than all before it.

    Args:
        story: every event of the journal, in order.
        metric: what trials are compared by.

    Returns:
        Seconds are those that the runs of the experiment have taken, ingest included, breaks between them not. The
        first is when there was a usable model: weights with a score, of which an interrupted run makes a bundle.
    """
    progress, found = Progress(metric, 0), list[tuple[float, float]]()
    for event in story:
        progress.apply(event)
        if isinstance(event, events.TrialReported):
            value = event.metrics.get(f"val/{metric.name}")
            if value is not None and metric.is_better(value, found[-1][1] if found else None):
                found.append((round(progress.spent, 3), value))
    return found


def recommended_trials(progress: Progress) -> list[dict[str, Any]]:
    """Those that were tried for a reason, in the order they began."""
    return [
        {
            "trial": trial.trial,
            "strategy": trial.label,
            "reason": trial.recommended or NAMED,
            "validation": progress.score(trial),
        }
        for trial in progress.trials.values()
        if trial.recommended or trial.runs_to_end
    ]

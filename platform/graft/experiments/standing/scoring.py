"""What is scored once the search is over, and how long the network of a trial takes for a sample. Pure."""

from collections.abc import Mapping

from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.candidates import MOST_CANDIDATES
from graft.experiments.standing.choice import is_solved
from graft.spec.strategy import modality_fields
from graft.spec.training import SELECTION_ROWS

FORWARD_SHARE = 0.3
"""Of the time that training on a sample takes, as it was measured (docs/benchmarks.md): a third is the forward pass."""

ROOM = 1.25
"""A budget keeps as many times what scoring is expected to take."""


def seconds_to_score(trial: TrialProgress, progress: Progress, samples: Mapping[str, int]) -> float:
    """Seconds for one sample, in a process like the trial's.

    What is trained goes forward only. Blocks whose features were stored are gone through once for each sample.

    Args:
        trial: whose network.
        progress: that it is of.
        samples: of each split.
    """
    above = 0.0 if is_solved(trial) else trial.mean_epoch / samples["train"] * FORWARD_SHARE
    return above + _pass_seconds(trial, progress) / (samples["train"] + samples["validation"])


def _pass_seconds(trial: TrialProgress, progress: Progress) -> float:
    """Seconds of a pass through its frozen blocks, over training and validation samples.

    Where it has read what another has stored, as long as that one took: the longest pass over inputs of the same kind
    and size, or if nobody has made one, the longest of all.
    """
    if trial.pass_seconds or not trial.cache.get("hits"):
        return trial.pass_seconds
    mine = _inputs(trial)
    alike = (one.pass_seconds for one in progress.trials.values() if one.pass_seconds and _inputs(one) == mine)
    return max(alike, default=progress.tally.pass_seconds)


def _inputs(trial: TrialProgress) -> tuple[object, ...]:
    """What the frozen blocks are given, and by whom."""
    return tuple(trial.strategy.get(name) for name in ("backbone", *modality_fields()))


def rows_heard(samples: Mapping[str, int], candidates: int = MOST_CANDIDATES) -> int:
    """Answers for validation samples that an ensemble is selected from."""
    return candidates * min(samples.get("validation", 0), SELECTION_ROWS)


def rows_evaluated(samples: Mapping[str, int], views: int = 1) -> int:
    """Answers that each member of the final model gives: for the test samples, and for those it is calibrated on.

    Args:
        samples: of each split.
        views: of each test sample (`export.tta`).
    """
    return samples.get("test", 0) * views + samples.get("validation", 0)

"""What is scored once the search is over, and how long the network of a trial takes for a sample. Pure."""

from collections.abc import Mapping

from graft.experiments.progress import TrialProgress
from graft.experiments.standing.candidates import MOST_CANDIDATES
from graft.experiments.standing.choice import is_solved
from graft.spec.training import SELECTION_ROWS

SCORING_SHARE = 0.5
"""Of the time that training on a sample takes: a third is the forward pass, the rest is room."""

USUAL_SHARE = 0.3
"""The same without room, as it was measured (docs/benchmarks.md)."""


def seconds_to_score(
    trial: TrialProgress, samples: Mapping[str, int], most: float, share: float = SCORING_SHARE
) -> float:
    """Seconds for one sample, in a process like the trial's.

    What is trained goes forward only. Blocks whose features were stored are gone through once for each sample.

    Args:
        trial: whose network.
        samples: of each split.
        most: seconds of the longest pass over training and validation samples that a trial has made; taken where the
            features that this one read were made by another.
        share: of the time that training on a sample takes.
    """
    below = trial.pass_seconds or (most if trial.cache.get("hits") else 0.0)
    above = 0.0 if is_solved(trial) else trial.mean_epoch / samples["train"] * share
    return above + below / (samples["train"] + samples["validation"])


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

"""How long the network of a trial takes to score a sample, judged by the trial's own epochs. Pure."""

from collections.abc import Mapping

from graft.experiments.progress import TrialProgress
from graft.experiments.standing.choice import is_solved

SCORING_SHARE = 0.5
"""Of the time that training on a sample takes: a third is the forward pass, the rest is room."""


def seconds_to_score(trial: TrialProgress, samples: Mapping[str, int], most: float) -> float:
    """Seconds for one sample, in a process like the trial's.

    What is trained goes forward only. Blocks whose features were stored are gone through once for each sample.

    Args:
        trial: whose network.
        samples: of each split.
        most: seconds of the longest pass over training and validation samples that a trial has made; taken where the
            features that this one read were made by another.
    """
    below = trial.pass_seconds or (most if trial.cache.get("hits") else 0.0)
    above = 0.0 if is_solved(trial) else trial.mean_epoch / samples["train"] * SCORING_SHARE
    return above + below / (samples["train"] + samples["validation"])

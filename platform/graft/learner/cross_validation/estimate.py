"""A strategy scored by folds once a search has ended: what it is worth without the luck of the validation samples."""

from graft.core.heartbeat import Watch, unwatched
from graft.data.dataset import Split
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.spec.strategy import Strategy
from graft.training.world import ALONE


def estimate(data: TrainingData, strategy: Strategy, epochs: int, watch: Watch = unwatched) -> dict[str, float]:
    """Train the models of all folds (`folds.FoldScores`), and no other.

    Args:
        data: with the folds.
        strategy: whose; a head that is solved is solved once for each fold.
        epochs: that each is trained.
        watch: what batches go through.

    Returns:
        The mean of each metric over the folds, and the bounds of the job's own, ``<metric>_low`` and ``<metric>_high``.

    Raises:
        ValueError: there are no folds.
    """
    learner = build_learner(data, strategy, (Split.TRAIN,), ALONE, watch)
    if learner.folds is None:
        raise ValueError("there are no folds, but a strategy is to be scored by them")
    return learner.folds.after(1 if strategy.head.is_solved else epochs)

"""What of a backbone rests before its blocks begin to train. Pure; no torch here: `graft plan` asks for it.

Two things happen on features that nothing has changed yet: the head's start is solved (`strategy.head_start`), and the
head trains alone (`strategy.unfreeze`; LP-FT: Kumar et al., ICLR 2022). Both can go on from stored features of the
blocks that train only later, as a linear probe does for the whole of its training.
"""

from graft.learner.prefix import Prefix, prefix_below
from graft.models.load import blocks_of
from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.components.head import LinearHead
from graft.spec.components.unfreezing import AtOnce
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.transfer.frozen_part import FrozenPart, frozen_part
from graft.transfer.unfreezing import Moment, Phase

# Steps of an epoch where nobody knows them yet; only an order that counts steps asks.
STEPS = 100


def head_prefix_of(strategy: Strategy) -> Prefix | None:
    """The blocks that rest at first and train later; None if there are none, or nothing reads what they give.

    Raises:
        SpecError: there is no such backbone.
    """
    places = blocks_of(strategy.backbone, strategy.structure)
    part = frozen_part(strategy, len(places))
    if part.stop <= part.cut or not (_rests(strategy, part) or starts_solved(strategy)):
        return None
    return prefix_below(strategy, places, part.stop, part.views or 0)


def head_epochs(strategy: Strategy, epochs: int, steps_per_epoch: int = STEPS) -> int:
    """Whole epochs, from the first, in which the head, and what is drawn at random, train alone on the same samples.

    Args:
        strategy: with its order of unfreezing.
        epochs: of the whole training.
        steps_per_epoch: batches of one.
    """
    num_blocks = len(blocks_of(strategy.backbone, strategy.structure))
    part = frozen_part(strategy, num_blocks)
    if part.stop <= part.cut or not _rests(strategy, part):
        return 0
    for epoch in range(epochs):
        last = (epoch + 1) * steps_per_epoch - 1
        phase: Phase = build(strategy.unfreeze, Moment(last, steps_per_epoch, epochs, part.cut, part.stop))
        if phase.held < part.stop:
            return epoch
    return epochs


def starts_solved(strategy: Strategy) -> bool:
    """Whether the head of a strategy starts elsewhere than a new one does."""
    return bool(strategy.head_start.started_by) and isinstance(strategy.head, LinearHead)


def _rests(strategy: Strategy, part: FrozenPart) -> bool:
    """Whether blocks wait, and see the same samples while they do. A penalty on activations must see those of all."""
    waits = not isinstance(strategy.unfreeze, AtOnce) and part.views is not None
    return waits and not isinstance(strategy.penalty, ActivationPenaltySpec)

"""When blocks begin to train: a pure function of the step, so a training that is resumed needs no memory of it."""

import math
from dataclasses import dataclass

from graft.spec.components.unfreezing import AtOnce, Gradual, HeadFirst


@dataclass(frozen=True)
class Moment:
    """Where a training stands.

    Attributes:
        step: index of the next step, from 0, over the whole training.
        steps_per_epoch: batches of an epoch.
        epochs: of the whole training, at least 1.
        start: the cut: blocks below it never train.
        stop: the pretrained blocks that train are ``start … stop − 1``.
    """

    step: int
    steps_per_epoch: int
    epochs: int
    start: int
    stop: int

    @property
    def total(self) -> int:
        """Steps of the whole training."""
        return self.steps_per_epoch * self.epochs


@dataclass(frozen=True)
class Phase:
    """What trains at a step.

    Attributes:
        held: blocks, from the input, that do not train now, and with them the stem; the cut where all do that ever do.
        factor: of the learning rate of the pretrained blocks.
    """

    held: int
    factor: float = 1.0


def at_once(spec: AtOnce, moment: Moment) -> Phase:
    """All that ever trains."""
    return Phase(moment.start)


def gradual(spec: Gradual, moment: Moment) -> Phase:
    """Gradual unfreezing (Howard and Ruder, ULMFiT, ACL 2018, section 3.3), by groups of blocks.

    Group j of G joins at step ⌈T · until · j / G⌉, or at the last step; before the first, the head trains alone. The
    groups are as equal as blocks allow, and no more than there are blocks; the stem belongs to the last.
    """
    blocks = moment.stop - moment.start
    groups = max(min(spec.groups, blocks), 1)
    steps = (math.ceil(moment.total * spec.until * group / groups) for group in range(1, groups + 1))
    joined = sum(moment.step >= min(step, moment.total - 1) for step in steps)
    return Phase(moment.stop - math.ceil(blocks * joined / groups))


def head_first(spec: HeadFirst, moment: Moment) -> Phase:
    """Linear probing, then fine-tuning (Kumar et al., LP-FT, ICLR 2022).

    The head trains alone for round(share · epochs) epochs, at least one and not all of them; a training of one epoch is
    divided by steps instead. Then everything trains, and the learning rate of what joins rises linearly for
    round(warmup · T) steps.
    """
    epochs, total = moment.epochs, moment.total
    if epochs > 1:
        alone = min(max(round(spec.share * epochs), 1), epochs - 1) * moment.steps_per_epoch
    else:
        alone = min(max(round(spec.share * total), 1), total - 1)
    if moment.step < alone:
        return Phase(moment.stop)
    rise = round(spec.warmup * total)
    return Phase(moment.start, min((moment.step - alone + 1) / (rise + 1), 1.0))

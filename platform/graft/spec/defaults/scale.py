"""How long trainings are where a job does not say it: in steps, within its time. Pure.

Epochs mean little: 446 samples are 7 steps of 64, and 50,000 are 782. What a network learns in is steps, so that is
what is planned; the number of epochs follows from the samples there are. The figures behind it are in docs/defaults.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graft.spec.defaults.preset import LONGER, Preset

RUNG_STEPS = 60
"""Steps before trials are compared for the first time: after fewer, a head has hardly turned."""

# What a run has besides training (start, ingest, solved heads, evaluation, export), and how much of its time it may
# plan with.
_OVERHEAD_SECONDS, _PLANNED = 45.0, 0.9
# The final fit has all CPUs, which is so much quicker than one.
_FIT_SPEED = 1.5
# How much more a GPU does than a core, where a job says that it has one: an assumption on the safe side.
_GPU_SPEED = 20.0


@dataclass(frozen=True)
class Length:
    """How long trainings of a modality are.

    Attributes:
        least_steps: that a training has, unless that takes too many epochs, or there is no time for it.
        least_epochs: passes over many samples, however many steps they are.
        most_epochs: passes over few samples, after which more bring nothing.
    """

    least_steps: int = 400
    least_epochs: int = 4
    most_epochs: int = 30


@dataclass(frozen=True)
class Scale:
    """How large a job is.

    Attributes:
        training: samples that trials are trained on.
        validation: samples that they are scored on, and that the final fit is trained on as well.
        minutes: that the whole run may take; None is no limit.
        gpus: of a trial, as far as the job says it.
        outputs: classes, labels or values; 0 if nobody has counted them.
        trials: that there are at most; None is no limit.
        preset: how much is tried.
    """

    training: int
    validation: int
    minutes: float | None = None
    gpus: float = 0.0
    outputs: int = 0
    trials: int | None = None
    preset: Preset = "balanced"

    def steps(self, batch_size: int) -> int:
        """Steps of an epoch of a trial."""
        return max(1, math.ceil(self.training / batch_size))

    def epochs(self, batch_size: int, length: Length, seconds: float) -> int:
        """Epochs of a training: as many as give it enough steps, within what the time allows.

        Args:
            batch_size: samples a step; of several, the largest.
            length: how many steps are enough, and how many passes.
            seconds: that one core is taken to need to train on one sample; 0 where time does not matter.
        """
        longer = LONGER if self.preset == "best" else 1
        wanted = max(math.ceil(length.least_steps / self.steps(batch_size)), length.least_epochs)
        wanted = longer * min(wanted, length.most_epochs)
        affordable = self.affordable(seconds) if seconds else None
        return wanted if affordable is None else max(1, min(wanted, affordable))

    def affordable(self, seconds: float) -> int | None:
        """Epochs that one trial and the final fit have time for; None is no limit."""
        if self.minutes is None:
            return None
        rows = self.training + (self.training + self.validation) / _FIT_SPEED
        each = rows * seconds / (_GPU_SPEED if self.gpus else 1.0)
        left = self.minutes * 60 * _PLANNED - _OVERHEAD_SECONDS
        return int(max(0.0, left) / each)

    def first_rung(self, batch_sizes: Sequence[int], epochs: int) -> int:
        """The epoch after which trials are compared first: every batch size has taken enough steps, or all epochs."""
        steps = min(self.steps(one) for one in batch_sizes)
        return min(epochs, math.ceil(RUNG_STEPS / steps))

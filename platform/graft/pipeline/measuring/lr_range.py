"""`graft plan --lr-range`: a range test of a strategy of the job, on its training rows, in this process."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from graft.core.storage import Home
from graft.data.dataset import Split
from graft.learner.supervised import build_learner
from graft.pipeline.measuring.subject import subject_of
from graft.spec.job import Job
from graft.spec.strategy import Strategy
from graft.training.steps.range_test import LrRange, Sweep, range_test

HIGHEST, LOWEST, STEPS = 1.0, 1e-6, 100


@dataclass(frozen=True)
class TestedRange:
    """A range test and the strategy that it was made with."""

    strategy: Strategy
    found: LrRange

    def lines(self) -> tuple[str, ...]:
        """It for the terminal."""
        found = self.found
        end = "then the loss grew out of bounds" if found.diverged else "the loss stayed within bounds"
        low, high = found.steepest / 3, min(found.steepest * 3, found.lowest)
        return (
            f"{self.strategy.label()}, {len(found.rates)} steps from lr {LOWEST:.0e} to {found.rates[-1]:.1e}; {end}",
            f"the loss fell fastest at {found.steepest:.1e} and was lowest at {found.lowest:.1e}: "
            f"lr: {{loguniform: [{low:.1e}, {max(high, found.steepest):.1e}]}}",
        )

    def to_dict(self) -> dict[str, Any]:
        """It as plain JSON."""
        return {"strategy": self.strategy.model_dump(mode="json"), **asdict(self.found)}


def lr_range_of(job: Job, home: Home) -> TestedRange:
    """Test a strategy of the job (`subject_of`).

    Raises:
        DataError: the data cannot be used.
        SpecError: the strategy cannot be built.
    """
    subject = subject_of(job, home)
    drawn, data = subject.strategy, subject.data
    changes = {"schedule": Sweep(start=LOWEST / HIGHEST), "lr": HIGHEST}
    strategy = drawn.model_copy(update=changes)
    steps = max(math.ceil(len(data.arrays.rows(Split.TRAIN)) / strategy.batch_size), 1)
    data = replace(data, epochs=max(math.ceil(STEPS / steps), 1))
    learner = build_learner(data, strategy, (Split.TRAIN,))
    batches, session = learner.batches(), learner.session
    found = range_test(session, lambda epoch: batches.epoch(session.plan.seed, epoch, learner.augmenter))
    return TestedRange(drawn, found)

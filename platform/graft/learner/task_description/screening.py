"""Scores of backbones on a sample of the training rows, in the time that there is for it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from graft.core.errors import GraftError
from graft.core.heartbeat import Watch, unwatched
from graft.learner.task_description.rows import features_of_rows, sample_rows, targets_of
from graft.learner.training_data import TrainingData
from graft.search.screening.allowance import Allowance
from graft.search.screening.report import Candidate, Screened, screen
from graft.spec.strategy import Strategy

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes:
        screened: those that were scored, the best first.
        left_out: the others, each with the reason.
    """

    screened: tuple[Screened, ...]
    left_out: Mapping[Candidate, str]


def look_at(
    data: TrainingData, candidates: Sequence[Candidate], allowed: Allowance, clock: Callable[[], float]
) -> Look:
    """Score backbones, one after the other; one that would not be done in time is not begun.

    Args:
        data: what is trained on; it has a feature cache, whose features are used where they are there.
        candidates: backbones, depths and sizes.
        allowed: rows and seconds.
        clock: in seconds.

    Raises:
        DataError: there is nothing to tell apart in the sample.
    """
    rows = sample_rows(data, allowed.rows)
    looking = _Looking(data, rows, allowed.seconds, clock)
    found = screen(looking.features(candidates), targets_of(data, rows), clock)
    return Look(tuple(found), looking.left_out)


@dataclass(frozen=True)
class _Looking:
    data: TrainingData
    rows: np.ndarray
    seconds: float | None
    clock: Callable[[], float]
    left_out: dict[Candidate, str] = field(default_factory=dict)

    def features(self, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, np.ndarray]]:
        began = self.clock()
        for place, candidate in enumerate(candidates):
            spent = self.clock() - began
            if self.seconds is not None and place and spent * (place + 1) / place > self.seconds:
                self.left_out[candidate] = "there was no time for it"
                continue
            try:
                found = features_of_rows(self.data, self._strategy(candidate), self.rows, self._watch(began))
            except GraftError as error:
                self.left_out[candidate] = " ".join(str(error).split())[:200]
                continue
            if len(found) < len(self.rows):
                self.left_out[candidate] = "its features took too long"
            elif not np.isfinite(found).all():
                self.left_out[candidate] = "its features are not finite"
            else:
                yield candidate, found

    def _strategy(self, candidate: Candidate) -> Strategy:
        sized = self.data.modality.sized(candidate.size)
        structure = {"keep": candidate.depth}
        given = {"backbone": candidate.backbone, "freeze": 1.0, "precision": "fp32", "structure": structure}
        return Strategy.model_validate({**given, **sized})

    def _watch(self, began: float) -> Watch:
        return unwatched if self.seconds is None else _Until(began + self.seconds, self.clock)


@dataclass(frozen=True)
class _Until:
    """Hands batches on, one at least, until it is too late for another."""

    end: float
    clock: Callable[[], float]

    def __call__(self, batches: Iterable[T], /) -> Iterator[T]:
        for one in batches:
            yield one
            if self.clock() >= self.end:
                return

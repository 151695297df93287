"""What the variants of `nested.py` are asked for, and what they answer: one JSON file each way."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from graft.models.load import describe_backbone
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

RESOLUTION = 32


@dataclass(frozen=True)
class Request:
    """What to train.

    Attributes:
        work: a directory to write to.
        dataset: directory of the ingested data; empty before it is.
        trials: how many, which differ in their learning rate.
        epochs: of each.
        workers: of each trial, one CPU and one torch thread each.
        limit: training and validation images.
        freeze: share of the depth that stays frozen.
    """

    work: str
    dataset: str
    trials: int
    epochs: int
    workers: int
    limit: int
    freeze: float

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, evenly spaced orders of magnitude."""
        return tuple(float(rate) for rate in np.round(np.geomspace(1e-4, 1e-2, self.trials), 8))

    def strategies(self) -> list[Strategy]:
        """What the trials train."""
        blocks = describe_backbone(Strategy().backbone).num_blocks
        return [Strategy(lr=rate, freeze=self.freeze, resolution=RESOLUTION).canonical(blocks) for rate in self.rates]

    def job(self) -> Job:
        """The job a user would write for the same trials."""
        return parse_job(
            {
                "version": 1,
                "name": "nested",
                "data": {"kind": "digits", "limit": self.limit},
                "strategy": {"lr": {"choice": list(self.rates)}, "freeze": self.freeze, "resolution": RESOLUTION},
                "training": {"epochs": self.epochs},
                "search": {"scheduler": "none", "searcher": "grid", "budget": {"trials": self.trials}},
                "resources": {
                    "workers": self.workers,
                    "cpus_per_worker": 1,
                    "gpus_per_worker": 0,
                    "concurrent_trials": 1,
                },
            }
        )


@dataclass(frozen=True)
class Outcome:
    """What a variant did.

    Attributes:
        seconds: from handing over the first trial to the last one's end, workers gone; Ray is up before it.
        first_start: how much of that had passed when the first epoch began.
        training: seconds inside epochs, of all trials together.
        scores: learning rate -> best validation accuracy.
    """

    seconds: float
    first_start: float
    training: float
    scores: dict[str, float]

    @classmethod
    def read(cls, path: Path) -> "Outcome":
        """The outcome in a file."""
        return cls(**json.loads(path.read_text()))


def write(request: Request, path: Path) -> None:
    """Save it for `main`."""
    path.write_text(json.dumps(asdict(request)))


def main(variant: Callable[[Request], Outcome]) -> None:
    """``python -m nesting.<variant> REQUEST.json OUTCOME.json``."""
    asked, answered = (Path(argument) for argument in sys.argv[1:3])
    done = variant(Request(**json.loads(asked.read_text())))
    answered.write_text(json.dumps(asdict(done)))

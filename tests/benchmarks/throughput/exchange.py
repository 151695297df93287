"""What the measuring process and a variant's process tell each other: one JSON file each way."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ARRAYS = "arrays.npz"


@dataclass(frozen=True)
class Request:
    """What a variant is to do.

    Attributes:
        work: directory it may write to; holds the home of graft and ``arrays.npz`` when a search starts.
        data: the `data` of a job.
        candidates: plain values of each (`Candidate.config`).
        names: of the candidates, in order; for graft, which wants its own strategies.
        epochs: each trial trains.
        lanes: trials at once, each on one CPU and one torch thread.
        seed: root of the randomness.
        channels_last: memory format of the network, where the variant leaves that open.
        store: for graft: ``cold`` begins with an empty feature store, ``warm`` with what the one before has left, and
            ``none`` computes the frozen blocks in every epoch.
    """

    work: Path
    data: dict[str, Any]
    candidates: tuple[dict[str, Any], ...]
    names: tuple[str, ...]
    epochs: int
    lanes: int
    seed: int = 0
    channels_last: bool = False
    store: str = "cold"

    def write(self, path: Path) -> None:
        """Save it for `main`."""
        path.write_text(json.dumps(asdict(self) | {"work": str(self.work)}))

    @classmethod
    def read(cls, path: Path) -> "Request":
        """The request in a file."""
        values = json.loads(path.read_text())
        return cls(
            **values
            | {
                "work": Path(values["work"]),
                "candidates": tuple(values["candidates"]),
                "names": tuple(values["names"]),
            }
        )


@dataclass(frozen=True)
class Outcome:
    """What a variant did.

    Attributes:
        search_seconds: from handing the list over to the last trial's end; Ray is up before it.
        training_seconds: of all epochs together (training and validation), as measured inside the trials.
        scores: best validation accuracy of each candidate that got to its last epoch.
        reports: (seconds since the list was handed over, validation accuracy) of every epoch of every trial.
        more: seconds of other parts, by name.
    """

    search_seconds: float
    training_seconds: float
    scores: dict[str, float]
    reports: list[tuple[float, float]] = field(default_factory=list)
    more: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Outcome":
        """The outcome in a file."""
        return cls(**json.loads(path.read_text()))


def main(variant: Callable[[Request], Outcome]) -> None:
    """``python -m throughput.<variant> REQUEST.json OUTCOME.json``."""
    request, outcome = (Path(argument) for argument in sys.argv[1:3])
    done = variant(Request.read(request))
    outcome.write_text(json.dumps(asdict(done)))

"""What a method did on a data set, kept in a file: long comparisons are measured in parts, and printed together."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """One method, run once.

    Attributes:
        method: its name.
        seconds: of wall time, all that it does included.
        predictions: of the test rows.
        load: average of the machine before and after; its own share is in the second.
        facts: what else is worth knowing.
    """

    method: str
    seconds: float
    predictions: list[Any]
    load: tuple[float, float]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def array(self) -> np.ndarray:
        """The predictions."""
        return np.asarray(self.predictions)

    def told(self) -> dict[str, Any]:
        """All but the predictions."""
        return {name: value for name, value in asdict(self).items() if name != "predictions"}


Method = Callable[[], tuple[Any, dict[str, Any]]]
"""Predictions of the test rows, and facts."""


def outcome_of(method: str, run: Method, kept: Path, again: bool = False) -> Outcome:
    """The outcome that is kept in a file; the method is run if there is none.

    Args:
        method: its name.
        run: does it.
        kept: the file.
        again: whether it is run in any case.
    """
    if kept.exists() and not again:
        return Outcome(**json.loads(kept.read_text()))
    before, started = os.getloadavg()[0], time.perf_counter()
    predictions, facts = run()
    seconds = time.perf_counter() - started
    found = Outcome(method, seconds, np.asarray(predictions).tolist(), (before, os.getloadavg()[0]), facts)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(asdict(found)))
    print(f"  {kept.stem}: {seconds:.0f} s", flush=True)
    return found

"""What the runs of the methods come to: means with intervals, and how soon a method got how far. Pure."""

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import t

NEAR_BEST = 0.99
BASELINE = "random"

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Mean:
    """A mean and half the width of its 95 % interval, which one value does not have."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Over at least one value; Student's t with one degree of freedom less than values."""
        mean, count = statistics.fmean(values), len(values)
        if count < 2:
            return cls(mean, None)
        return cls(mean, float(t.ppf(0.975, count - 1)) * statistics.stdev(values) / math.sqrt(count))

    def text(self, digits: int = 4) -> str:
        """``0.9712 ± 0.0100``."""
        spread = "" if self.half_width is None else f" ± {self.half_width:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


def epochs_until(values: Sequence[float], wanted: float) -> int | None:
    """After how many epochs the best value so far is as good as wanted; None if it never is."""
    best_so_far = itertools.accumulate(values, max)
    return next((epoch for epoch, best in enumerate(best_so_far, start=1) if best >= wanted), None)


def summarise(runs: Iterable[Run], budget: int) -> list[dict[str, Any]]:
    """One entry for each data set and method, by data set and falling test accuracy.

    Args:
        runs: as `comparison.runs.run` returns them.
        budget: what a run counts that never came near the best.
    """
    runs = list(runs)
    best: dict[tuple[str, int], float] = {}
    for one in runs:
        place = (one["data"], one["seed"])
        best[place] = max(best.get(place, -math.inf), one["validation"])
    groups: dict[tuple[str, str], list[Run]] = {}
    for one in runs:
        groups.setdefault((one["data"], one["method"]), []).append(one)
    found = [
        _summary(data, method, mine, groups.get((data, BASELINE), []), best, budget)
        for (data, method), mine in groups.items()
    ]
    return sorted(found, key=lambda entry: (entry["data"], -entry["test"]["mean"]))


def rows(summaries: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """Lines of the table."""
    return [
        [
            one["data"],
            one["method"],
            one["runs"],
            Mean(**one["test"]).text(),
            Mean(**one["gain"]).text() if one["gain"] else None,
            Mean(**one["validation"]).text(),
            Mean(**one["epochs_to_near_best"]).text(1),
            f"{one['reached']}/{one['runs']}",
            one["epochs_trained"],
            one["trials"],
        ]
        for one in summaries
    ]


def _summary(
    data: str,
    method: str,
    mine: Sequence[Run],
    baseline: Sequence[Run],
    best: Mapping[tuple[str, int], float],
    budget: int,
) -> dict[str, Any]:
    until = [epochs_until(one["values"], NEAR_BEST * best[(data, one["seed"])]) for one in mine]
    random = {one["seed"]: one["test"] for one in baseline}
    gains = [one["test"] - random[one["seed"]] for one in mine if one["seed"] in random]
    return {
        "data": data,
        "method": method,
        "runs": len(mine),
        "test": asdict(Mean.of([one["test"] for one in mine])),
        "gain": asdict(Mean.of(gains)) if gains and method != BASELINE else None,
        "validation": asdict(Mean.of([one["validation"] for one in mine])),
        "epochs_to_near_best": asdict(Mean.of([float(one or budget) for one in until])),
        "reached": sum(one is not None for one in until),
        "epochs_trained": statistics.median(len(one["values"]) for one in mine),
        "trials": statistics.median(one["trials"] for one in mine),
        "exploits": statistics.median(one["exploits"] for one in mine),
        "seconds": statistics.median(one["seconds"] for one in mine),
        "tests": [one["test"] for one in mine],
    }

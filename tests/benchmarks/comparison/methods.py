"""The methods that are compared, each as the job a user would write; all get the same number of epochs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graft.spec.job import Job
from graft.spec.load import parse_job

# One architecture, and everything else that a search may decide: what `jobs/` has, with wider ranges.
SPACE: Mapping[str, Any] = {
    "backbone": "efficientnet_lite0",
    "freeze": {"choice": [0.25, 0.5, 0.75, 1.0]},
    "lr": {"loguniform": [1e-4, 3e-2]},
    "weight_decay": {"loguniform": [1e-4, 1e-1]},
    "head": {"kind": "linear", "dropout": {"uniform": [0.0, 0.5]}},
    "loss": {"kind": "cross_entropy", "label_smoothing": {"uniform": [0.0, 0.2]}},
    "penalty": {"choice": ["none", {"kind": "l2_sp", "strength": {"loguniform": [1e-4, 1e-1]}}]},
    "augment": {"choice": ["none", {"kind": "light", "magnitude": {"uniform": [0.1, 0.5]}}]},
}
# More than can be tried: the epochs end the search.
NO_LIMIT = 1000
TOP_K = 3


@dataclass(frozen=True)
class Sizes:
    """How large a run is.

    Attributes:
        budget: epochs of all trials together, those of stopped ones included.
        epochs: the most one trial trains.
        limit: training and validation images together.
        slots: trials at once, in simulated time.
        resolution: pixels of a side.
    """

    budget: int = 36
    epochs: int = 6
    limit: int = 600
    slots: int = 2
    resolution: int = 32

    @property
    def full_trials(self) -> int:
        """How many trials can be trained to their end."""
        return max(2, self.budget // self.epochs)


Search = Callable[[Sizes], dict[str, Any]]


def _random(sizes: Sizes) -> dict[str, Any]:
    return {"scheduler": "none", "budget": {"trials": sizes.full_trials}}


def _one_epoch_top_k(sizes: Sizes) -> dict[str, Any]:
    trials = max(TOP_K, sizes.budget - TOP_K * (sizes.epochs - 1))
    return {"scheduler": {"kind": "one_epoch_top_k", "keep": TOP_K}, "budget": {"trials": trials}}


def _asha(sizes: Sizes) -> dict[str, Any]:
    return {"scheduler": "asha", "budget": {"trials": NO_LIMIT}}


def _hyperband(sizes: Sizes) -> dict[str, Any]:
    return {"scheduler": "hyperband", "budget": {"trials": NO_LIMIT}}


def _pbt(sizes: Sizes) -> dict[str, Any]:
    return {"scheduler": "pbt", "population": sizes.full_trials}


def _pb2(sizes: Sizes) -> dict[str, Any]:
    return {"scheduler": "pb2", "population": sizes.full_trials}


def _tpe_asha(sizes: Sizes) -> dict[str, Any]:
    return {"scheduler": "asha", "searcher": "tpe", "budget": {"trials": NO_LIMIT}}


def _asha_pbt(sizes: Sizes) -> dict[str, Any]:
    """Half the epochs for trials of half the length under ASHA, the other half for a population from their best."""
    half = -(-sizes.epochs // 2)
    population = max(2, sizes.budget // 2 // max(1, sizes.epochs - half))
    # Of n trials about 0.4 n come to the end of the phase, and the others train one epoch.
    trials = max(2, round(sizes.budget / 2 / (0.6 + 0.4 * half)))
    first = {"scheduler": "asha", "trials": trials, "epochs": half}
    return {"phases": [first, {"scheduler": "pbt", "population": population, "from": "top"}]}


METHODS: Mapping[str, Search] = {
    "random": _random,
    "one_epoch_top_k": _one_epoch_top_k,
    "asha": _asha,
    "hyperband": _hyperband,
    "pbt": _pbt,
    "pb2": _pb2,
    "tpe+asha": _tpe_asha,
    "asha->pbt": _asha_pbt,
}


def data_section(data: str, sizes: Sizes, seed: int) -> dict[str, Any]:
    """The job's data: ``digits``, or a directory of IDX files. The seed splits it."""
    # Of the images with a limit, five eighths are trained on: fewer to validate on would make all methods look alike.
    common = {"limit": sizes.limit, "seed": seed}
    if data == "digits":
        return {"kind": "digits", "validation": 0.3, "test": 0.2, **common}
    return {"kind": "idx", "path": data, "validation": 0.375, **common}


def job_of(method: str, data: str, sizes: Sizes, seed: int) -> Job:
    """The job of one run; the seed is that of the split, of the search and of every training."""
    return parse_job(
        {
            "version": 1,
            "name": "schedulers",
            "data": data_section(data, sizes, seed),
            "strategy": {**SPACE, "resolution": sizes.resolution},
            "training": {"epochs": sizes.epochs, "final_on": "train"},
            "search": {**METHODS[method](sizes), "seed": seed},
            "resources": {"cpus_per_worker": 1, "gpus_per_worker": 0, "concurrent_trials": sizes.slots},
        }
    )

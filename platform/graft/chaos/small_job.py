"""A job made so small that it can be run thirty times: the same data, strategies and metric, a short search."""

from typing import Any

from graft.core.errors import SpecError
from graft.modalities.registry import build_modality
from graft.spec.job import Job
from graft.spec.load import parse_job

# With fewer epochs, trials on stored features would be over before anything can happen to them.
TRIALS, EPOCHS, SAMPLES = 3, 12, 300
META_EPOCHS = 6


def make_small(job: Job) -> Job:
    """The job with at most three trials of twelve epochs on three hundred samples, in one phase, one trial at a time.

    One at a time, because a scheduler compares whoever has come so far: with two, it would depend on the machine who is
    stopped, and the winner could not be compared. For the same reason no run learns from those before it. The scheduler
    is kept if it fits so few epochs. Nothing is written to the job's own tracking store, and nothing is registered.
    """
    raw = job.model_dump(mode="json")
    search = {"metric": raw["search"]["metric"], "seed": raw["search"]["seed"]}
    search["budget"] = {"trials": min(job.search.budget.trials or TRIALS, TRIALS)}
    small = {
        **raw,
        "data": {**raw["data"], "limit": min(job.data.limit or SAMPLES, SAMPLES)},
        "training": {**raw["training"], "epochs": min(job.epochs, EPOCHS)},
        "resources": {**raw["resources"], "concurrent_trials": 1},
        "tracking": {},
        "memory": {"keep": False},
        "export": {"register": False},
    }
    try:
        return parse_job({**small, "search": {**search, **_own_search(job, raw)}})
    except SpecError:
        return parse_job({**small, "search": {**search, "scheduler": "none", "searcher": "random"}})


def meta_search_of(job: Job) -> dict[str, Any]:
    """A meta-search over the classes of a small job's data, as plain data: three trials, one at a time.

    Three tenths of the classes judge the trials and as many the winner, so there must be seven.
    """
    raw = job.model_dump(mode="json")
    modality = build_modality(job.data.modality)
    size = modality.sized(min(modality.sizes(job.reach)))
    return {
        "kind": "meta",
        "name": job.name,
        "data": raw["data"],
        "strategy": {"backbone": job.reach.values("backbone")[0], **size},
        "start": {"kind": "map", "width": {"choice": [16, 32]}},
        "adapter": {"choice": ["prototypes", "ridge", "anil"]},
        "tasks": {"ways": 2, "shots": [1], "queries": 3, "duplicates": "drop"},
        "held_out": {"validation": 0.3, "test": 0.3},
        "training": {"epochs": META_EPOCHS, "steps": 20, "lr": {"loguniform": [1e-4, 1e-2]}, "patience": None},
        "report": {"protocols": ["2w1s"], "episodes": 100},
        "search": {"scheduler": "none", "searcher": "random", "budget": {"trials": TRIALS}},
        "resources": {"concurrent_trials": 1},
    }


def _own_search(job: Job, raw: dict[str, Any]) -> dict[str, Any]:
    if len(job.phases) > 1 or job.phases[0].is_population_based:
        return {"scheduler": "none", "searcher": "random"}
    return {"scheduler": raw["search"]["scheduler"], "searcher": raw["search"]["searcher"]}

"""A search over meta-trainings in the terms of any search: its phases, its space, its budget."""

from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.meta.job import MetaJob
from graft.spec.meta.search import MetaSearchSpec


def search_job(job: MetaJob) -> Job:
    """What a search needs to know of a job; one that searches nothing is a search of one trial.

    Raises:
        SpecError: the search does not fit the training, such as a first comparison after its last epoch.
    """
    given = job.search or MetaSearchSpec()
    is_population, resources = given.scheduler.is_population_based, job.resources
    trials = (given.budget.trials if job.is_search else 1) if not is_population else None
    search = given.model_dump(mode="json", exclude={"budget"})
    return parse_job(
        {
            "name": job.name,
            "data": job.data.model_dump(mode="json"),
            "task": "classification",
            "strategy": job.space.dump(),
            "training": {"epochs": job.training.epochs, "final_on": "train"},
            "search": {**(search if job.is_search else {"scheduler": "none"}), "budget": {"trials": trials}},
            "resources": {
                "workers": resources.workers,
                "concurrent_trials": resources.concurrent_trials,
                "gpus_per_worker": 0,
                "fuse_heads": "never",
            },
            "tracking": job.tracking.model_dump(mode="json"),
        }
    )

"""A job is made small without losing what it is about."""

import pytest

from graft.chaos.small_job import make_small, meta_search_of
from graft.spec.load import parse_job
from graft.spec.meta.job import MetaJob

JOB = {
    "name": "pets",
    "data": {"kind": "digits", "validation": 0.3},
    "strategy": {"freeze": {"choice": [0.5, 1.0]}, "resolution": 64},
    "training": {"epochs": 40, "final_on": "train"},
    "search": {"metric": "macro_f1", "seed": 7, "budget": {"trials": 50, "minutes": 90}},
    "resources": {"workers": 2},
    "tracking": {"uri": "http://tracking:5000", "experiment": "shared"},
    "export": {"model_name": "pets"},
}


def small(**changes):
    return make_small(parse_job({**JOB, **changes}))


def test_it_is_short_and_one_trial_at_a_time():
    job = small()
    assert (job.training.epochs, job.data.limit, job.search.budget.trials) == (12, 300, 3)
    assert job.search.budget.minutes is None
    assert job.resources.concurrent_trials == 1


def test_it_is_about_the_same():
    job, own = small(), parse_job(JOB)
    assert job.strategy == own.strategy
    assert (job.search.metric, job.search.seed) == ("macro_f1", 7)
    assert (job.training.final_on, job.resources.workers, job.data.validation) == ("train", 2, 0.3)


def test_nothing_reaches_the_jobs_own_store():
    job = small()
    assert job.tracking.uri is None
    assert not job.export.register


def test_no_run_learns_from_those_before_it():
    assert not small().memory.keep
    assert not small(memory={"keep": True}).memory.keep


def test_what_is_smaller_already_stays():
    job = small(training={"epochs": 2}, search={"budget": {"trials": 1}}, data={"kind": "digits", "limit": 50})
    assert (job.training.epochs, job.data.limit, job.search.budget.trials) == (2, 50, 1)


@pytest.mark.parametrize(
    ("search", "kind"),
    [
        ({"scheduler": {"kind": "asha", "reduction_factor": 2}}, "asha"),
        ({"scheduler": {"kind": "asha", "grace_epochs": 20}}, "none"),
        ({"scheduler": "pbt", "population": 4}, "none"),
    ],
)
def test_the_scheduler_stays_if_it_fits(search, kind):
    assert small(search=search).search.scheduler.kind == kind


def test_a_meta_search_over_its_classes_has_the_features_of_one_backbone() -> None:
    backbones = {"choice": ["efficientnet_lite0", "mobilenet_v2"]}
    job = small(strategy={"backbone": backbones, "resolution": {"choice": [64, 32]}})
    found = MetaJob.model_validate(meta_search_of(job))
    assert found.is_search
    assert found.strategy.dump() == {"backbone": "efficientnet_lite0", "resolution": 32}
    assert (found.data.limit, found.search.budget.trials, found.resources.concurrent_trials) == (300, 3, 1)
    assert found.tracking.uri is None

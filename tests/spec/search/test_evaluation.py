"""Folds fit together with what trials are."""

import pytest

from graft.core.errors import SpecError
from graft.spec.load import parse_job
from graft.spec.search.evaluation import EvaluationSpec


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (
            {"resources": {"workers": 2}},
            "search.evaluation.folds: is 5, but a trial has 2 workers; set resources.workers",
        ),
        ({"search": {"scheduler": "pbt"}}, "is 5, but trials that copy others, or go on from them, have no models of"),
        ({"search": {"phases": [{"trials": 4, "epochs": 2}, {"from": "top", "trials": 2}]}}, "have no models of folds"),
        (
            {"search": {"evaluation": {"top": 3}}},
            "search.evaluation.top: is 3, but there are no folds to score finalists by; set folds, or leave it out",
        ),
        ({"search": {"evaluation": {"folds": 5, "top": -1}}}, "search.evaluation.top: is -1, but must be"),
        ({"search": {"evaluation": {"folds": 1}}}, "search.evaluation.folds: is 1, but must be between 2 and 100"),
    ],
)
def test_folds_need_trials_of_their_own(job: dict, told: str) -> None:
    search = {"evaluation": {"folds": 5}, **job.pop("search", {})}
    strategy = {"lr": {"loguniform": [1e-4, 1e-2]}}
    with pytest.raises(SpecError) as caught:
        parse_job({"name": "x", "data": {"kind": "digits"}, "strategy": strategy, "search": search, **job})
    assert told in str(caught.value)


def test_rows_that_folds_train_on() -> None:
    assert EvaluationSpec(folds=5, repeats=2).extra_rows(100) == 800
    assert EvaluationSpec().extra_rows(100) == 0
    assert [one.models for one in (EvaluationSpec(), EvaluationSpec(folds=5, repeats=2))] == [1, 11]


def test_finalists_alone_cost_trials_nothing() -> None:
    top = EvaluationSpec(folds=5, repeats=2, top=3)
    assert (top.is_of_all, top.models, top.extra_rows(100), top.finals) == (False, 1, 0, 10)
    assert [one.finals for one in (EvaluationSpec(), EvaluationSpec(folds=5))] == [0, 0]


def test_finalists_are_scored_by_one_process_however_many_train_a_trial() -> None:
    search = {"evaluation": {"folds": 5, "top": 2}}
    job = parse_job({"name": "x", "data": "digits", "search": search, "resources": {"workers": 2}})
    assert job.search.evaluation.top == 2

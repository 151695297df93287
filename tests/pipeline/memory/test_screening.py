"""A run scores its backbones once, and tells what came of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from graft.core.errors import DataError
from graft.core.storage import Home
from graft.experiments.history import SearchHistory
from graft.journal.events import BackbonesScreened
from graft.learner.task_description.screening import Look
from graft.pipeline.memory import screening
from graft.pipeline.memory.screening import Screener
from graft.search.screening.report import Candidate, Screened
from graft.spec.load import parse_job

JOB = parse_job(
    {
        "name": "x",
        "data": "digits",
        "strategy": {"backbone": {"choice": ["efficientnet_lite0", "mobilenet_v2"]}, "freeze": 0.5},
        "training": {"epochs": 6},
        "search": {"budget": {"trials": 16}},
    }
)
FIRST, SECOND = Candidate("mobilenet_v2", 1.0, 64), Candidate("efficientnet_lite0", 1.0, 64)
FOUND = Look((Screened(FIRST, 1, {"ridge": 0.9}, 0.1), Screened(SECOND, 2, {"ridge": 0.7}, 0.1)), {})
SCORES = {"ridge": {"mobilenet_v2": 0.9, "efficientnet_lite0": 0.7}}


class Run:
    """What a screener needs of a run; `looks` counts how often the samples were looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Home, rows: int, found: Look | Exception) -> None:
        self.looks, self.told = 0, list[BackbonesScreened]()
        self.history = SearchHistory(JOB.objective)
        clock = SimpleNamespace(elapsed=lambda: 0.0)
        run_clock = SimpleNamespace(deadline=None, allocation=SimpleNamespace(num_threads=1))
        journal = SimpleNamespace(append=self._append)
        self.context: Any = SimpleNamespace(
            job=JOB, home=home, clock=clock, run_clock=run_clock, journal=journal, history=self.history
        )
        self.dataset: Any = SimpleNamespace(counts={"train": rows})

        def look_at(*_: Any) -> Look:
            self.looks += 1
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(screening, "look_at", look_at)
        monkeypatch.setattr(screening, "training_data_of", lambda *_: None)
        monkeypatch.setattr(screening, "data_fingerprint", lambda _: "f")

    def _append(self, event: BackbonesScreened) -> None:
        self.told.append(event)
        self.history.apply(event)

    def scores(self, known: Any = None) -> Any:
        return Screener(self.context, self.dataset).scores(0, known or {})


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    return lambda rows=10_000, found=FOUND: Run(monkeypatch, Home(tmp_path / "home"), rows, found)


def test_scores_are_told_and_computed_once_however_often_the_run_begins(make: Any) -> None:
    run = make()
    assert run.scores() == SCORES
    assert [one.told for one in run.told] == [
        "backbones scored in 0.0 s, the best first: mobilenet_v2, efficientnet_lite0"
    ]
    assert run.scores() == SCORES
    assert (run.looks, len(run.told)) == (1, 1)


def test_what_the_memory_has_of_the_very_task_is_not_computed_again(make: Any) -> None:
    run = make()
    assert run.scores(SCORES) == SCORES
    assert (run.looks, run.told) == (0, [])


def test_a_backbone_that_the_memory_has_no_score_of_asks_for_all_of_them(make: Any) -> None:
    run = make()
    assert run.scores({"ridge": {"mobilenet_v2": 0.1}}) == SCORES


def test_little_data_is_not_worth_it_which_is_told_once(make: Any) -> None:
    run = make(rows=60)
    assert (run.scores(), run.scores()) == ({}, {})
    assert run.looks == 0
    assert [one.told.split(" is enough")[0] for one in run.told] == ["the backbones are not scored: 0.01 of the search"]


def test_samples_that_cannot_be_looked_at_cost_the_scores_alone(make: Any) -> None:
    run = make(found=DataError("all targets of the sample are alike"))
    assert run.scores() == {}
    assert run.told[0].told == "the backbones are not scored: DataError: all targets of the sample are alike"


def test_one_that_was_scored_alone_is_compared_with_nothing(make: Any) -> None:
    run = make(found=Look(FOUND.screened[:1], {SECOND: "there was no time for it"}))
    assert run.scores() == {}
    assert run.told[0].told.endswith("after 0.0 s; efficientnet_lite0: there was no time for it")

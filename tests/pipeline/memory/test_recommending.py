"""What a job hears of the tasks that its home remembers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graft.core.storage import Home
from graft.meta.memory.records import HeldMemory, Record, TaskEntry
from graft.meta.memory.store import MemoryStore
from graft.meta.recommend.curves.advice import curves_for
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import NO_PRIOR, Prior
from graft.models.load import canonical
from graft.pipeline.memory.beginning import expected_end
from graft.pipeline.memory.recommending import Samples, in_words, question_of, reasons_of, recommend, recommendations
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import all_metrics

NOW = 2e9
BAND = ("low", "expected", "high")
SPACE = {"freeze": {"choice": [0.0, 0.5, 1.0]}, "lr": {"choice": [1e-3, 1e-2]}}


def job_of(**search: Any) -> Job:
    raw = {"name": "x", "data": "digits", "strategy": SPACE, "training": {"epochs": 3}}
    return parse_job({**raw, "search": {"searcher": "meta", **search}})


def remember(home: Home, modality: str = "image", tasks: int = 3) -> None:
    """Tasks on which half of the network frozen, at the lower rate, has won."""
    records = []
    for task in range(tasks):
        for freeze in (0.0, 0.5, 1.0):
            for lr in (1e-3, 1e-2):
                strategy = canonical(Strategy(freeze=freeze, lr=lr))
                told = candidate_of(strategy).strategy_json
                value = 0.9 - 0.2 * abs(freeze - 0.5) - 5 * lr
                name = f"t{task}-{freeze}-{lr}"
                records.append(
                    Record(
                        *(f"t{task}", modality, "classification", strategy.backbone, "accuracy", "max", value),
                        strategy_json=told,
                        trial=name,
                        source="run:x",
                        written_at=NOW,
                    )
                )
    entries = [TaskEntry(f"t{task}", modality, "classification", 100, 10, title=f"flowers {task}") for task in range(3)]
    store = MemoryStore.find(home)
    assert store is not None
    store.append([*entries, *records])


@pytest.fixture
def memory_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("GRAFT_MEMORY", raising=False)
    return Home(tmp_path / "home")


def test_an_empty_memory_says_nothing(memory_home: Home) -> None:
    assert recommend(job_of(), memory_home, 0, NOW) is None


def test_a_searcher_that_learns_from_no_tasks_is_told_nothing(memory_home: Home) -> None:
    remember(memory_home)
    assert recommend(job_of(searcher="random"), memory_home, 0, NOW) is None


def test_what_has_won_elsewhere_comes_first_with_its_reason(memory_home: Home) -> None:
    remember(memory_home)
    made = recommend(job_of(), memory_home, 0, NOW)
    assert made is not None
    prior = Prior.from_dict(made.prior)
    best = prior.expected[prior.portfolio[0]]
    strategy = Strategy.model_validate_json(best.strategy_json)
    assert (strategy.freeze, strategy.lr, prior.tasks) == (0.5, 1e-3, 3)
    assert best.reason.startswith("task flowers 0, where efficientnet_lite0 freeze=0.471 lr=0.001 won among")
    assert made.told == in_words(prior)
    assert in_words(replace(prior, portfolio=prior.portfolio[:1])).startswith("1 strategy is tried first, by 3")
    assert made.told.startswith("6 strategies are tried first, by 3 earlier tasks: task flowers 0")
    assert reasons_of(prior)(canonical(strategy)) == best.reason
    assert reasons_of(prior)(Strategy(freeze=0.5, lr=0.5)) == ""
    assert recommend(job_of(), memory_home, 0, NOW) == made


def test_a_memory_of_another_kind_of_sample_makes_no_difference(memory_home: Home) -> None:
    remember(memory_home, modality="text")
    made = recommend(job_of(), memory_home, 0, NOW)
    assert made is not None
    assert Prior.from_dict(made.prior) == NO_PRIOR
    assert made.told == "nothing is known of tasks like this one, so all is drawn"


def test_a_memory_that_is_switched_off_says_nothing(memory_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(memory_home)
    monkeypatch.setenv("GRAFT_MEMORY", "off")
    assert recommend(job_of(), memory_home, 0, NOW) is None


def test_a_memory_that_does_not_answer_costs_the_recommendations_alone(
    memory_home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAFT_MEMORY", "nowhere://bucket/memory")
    made = recommend(job_of(), memory_home, 0, NOW)
    assert made is not None
    assert Prior.from_dict(made.prior).is_empty
    assert made.told.startswith("the task memory cannot be used")


def test_tasks_that_are_alike_are_believed_and_unlike_ones_are_not(memory_home: Home) -> None:
    remember(memory_home)
    store = MemoryStore.find(memory_home)
    assert store is not None
    features = {"log_rows": 5.0, "log_outputs": 2.3, "balance": 1.0}
    about = [TaskEntry(f"t{one}", "image", "classification", 100, 10, features, written_at=NOW) for one in range(3)]
    store.append(about)

    def told(apart: float) -> Prior:
        entry = TaskEntry("new", "image", "classification", 100, 10, {k: v + apart for k, v in features.items()})
        made = recommend(job_of(), memory_home, 0, NOW, Samples(lambda: entry))
        assert made is not None
        return Prior.from_dict(made.prior)

    assert told(0.0).confidence > 0.9
    assert "alike)" in told(0.0).expected[told(0.0).portfolio[0]].reason
    assert told(50.0) == NO_PRIOR or told(50.0).is_empty


def test_a_backbone_that_no_longer_exists_is_knowledge_and_never_recommended(memory_home: Home) -> None:
    """Its records stay among those of its task, where they say what its best was worth; it is drawn nowhere."""
    remember(memory_home)
    store = MemoryStore.find(memory_home)
    assert store is not None
    gone = json.dumps({**json.loads(candidate_of(canonical(Strategy())).strategy_json), "backbone": "resnet_of_old"})
    store.append(
        Record(
            *(f"t{task}", "image", "classification", "resnet_of_old", "accuracy", "max", 0.99),
            strategy_json=gone,
            trial=f"old-{task}",
            source="run:x",
            written_at=NOW,
        )
        for task in range(3)
    )
    made = recommend(job_of(), memory_home, 0, NOW)
    assert made is not None
    prior = Prior.from_dict(made.prior)
    strategies = [Strategy.model_validate_json(one.strategy_json) for one in prior.expected]
    assert {one.backbone for one in strategies} == {"efficientnet_lite0"}
    assert strategies[prior.portfolio[0]].freeze == 0.5
    assert "resnet_of_old" not in made.told


def test_a_vector_of_another_version_is_not_compared(memory_home: Home) -> None:
    """Then the sizes of the data decide, and no task is more alike than they can say."""
    remember(memory_home)
    store = MemoryStore.find(memory_home)
    assert store is not None
    features, vector = {"log_rows": 3.0, "log_outputs": 1.0, "balance": 1.0}, (0.1,) * 44
    kind = ("image", "classification", 100, 10, features, vector)
    store.append([TaskEntry(f"t{one}", *kind, "1:efficientnet_lite0@64", written_at=NOW) for one in range(3)])

    def told(version: str) -> str:
        entry = TaskEntry("new", "image", "classification", 100, 10, features, vector, version)
        made = recommend(job_of(), memory_home, 0, NOW, Samples(lambda: entry))
        assert made is not None
        return made.told

    assert "(1.00 alike)" in told("1:efficientnet_lite0@64")
    assert "(0.60 alike)" in told("2:efficientnet_lite0@64")
    assert "(0.60 alike)" in told("1:another@64")


def test_scores_of_backbones_order_the_first_trials_where_nothing_is_remembered(memory_home: Home) -> None:
    two = {"backbone": {"choice": ["efficientnet_lite0", "mobilenet_v2"]}, "freeze": {"choice": [0.5, 1.0]}}
    raw = {"name": "x", "data": "digits", "strategy": two, "training": {"epochs": 3}, "search": {"searcher": "meta"}}
    scores = {"ridge": {"efficientnet_lite0": 0.4, "mobilenet_v2": 0.9}, "logme": {"efficientnet_lite0": 0.1}}

    def no_entry() -> TaskEntry:
        raise AssertionError("there is nothing to compare the task with")

    made = recommend(parse_job(raw), memory_home, 0, NOW, Samples(no_entry, lambda known: scores))
    assert made is not None
    prior = Prior.from_dict(made.prior)
    backbones = [Strategy.model_validate_json(prior.expected[at].strategy_json).backbone for at in prior.portfolio]
    assert backbones == ["mobilenet_v2"] * 2 + ["efficientnet_lite0"] * 2
    assert made.told == "4 strategies are tried first, by the scores of their backbones: screening 1st of 2"


def with_curves(tasks: int) -> HeldMemory:
    """Accuracies of three epochs; more of the network trained is better, and slower."""
    records = []
    for task in range(tasks):
        for freeze in (0.0, 0.5, 1.0):
            strategy = canonical(Strategy(freeze=freeze))
            kind = (f"t{task}", "image", "classification", strategy.backbone, "accuracy", "max")
            told = candidate_of(strategy).strategy_json
            for epoch in (1, 2, 3):
                value = 0.8 - 0.1 * freeze - 0.1 * (3 - epoch) * (1 - freeze) + 0.01 * task
                records.append(Record(*kind, value, told, epoch, 3, trial=f"{task} {freeze}"))
    return HeldMemory(records)


def test_a_recommendation_names_the_learning_curve_that_is_expected() -> None:
    told = recommendations(job_of(), with_curves(4), 6)
    recommended = [(one["strategy"], one["curve"]) for one in told["recommendations"]]
    curves = {strategy["freeze"]: curve for strategy, curve in recommended if strategy["lr"] == Strategy().lr}
    assert told["metric"] == "accuracy"
    assert set(curves) == {0.0, 0.5, 1.0}
    for curve in curves.values():
        assert (curve["metric"], curve["epochs"]) == ("accuracy", [1, 2, 3])
        assert curve["expected"] == sorted(curve["expected"])
        assert all(low < value < high for low, value, high in zip(*(curve[of] for of in BAND), strict=True))
    gains = {freeze: curve["expected"][-1] - curve["expected"][0] for freeze, curve in curves.items()}
    assert gains[0.0] > gains[0.5] + 0.01 > gains[1.0] + 0.02
    assert curves[0.0]["low"][-1] < 0.815 < curves[0.0]["high"][-1]


def test_an_error_is_expected_within_what_the_targets_leave_room_for() -> None:
    """One short curve of another task says little, but not that stars from 1 to 5 are missed by thousands."""
    job, strategy = job_of(), canonical(Strategy(freeze=0.5))
    kind = ("t0", "image", "classification", strategy.backbone, "mae", "min")
    told = candidate_of(strategy).strategy_json
    memory = HeldMemory([Record(*kind, 1.2 - 0.1 * at, told, at, 3, trial="a") for at in (1, 2)])
    question = question_of(job, 0, memory)
    mae = next(metric for _, metric in all_metrics() if metric.name == "mae")
    curves = [curves_for(memory, question, mae, 3, *largest)(Strategy(freeze=0.5)) for largest in ((), (4.0,))]
    anything, bounded = (curve["high"] for curve in curves if curve)
    assert max(anything) > 1000, "its unit may be anything"
    assert 1.0 < max(bounded) == 4.0
    loss = replace(mae, name="loss", is_in_units=False)
    memory = HeldMemory([replace(one, metric="loss") for one in memory.records()])
    unitless = curves_for(memory, question, loss, 3)(Strategy(freeze=0.5))
    assert unitless is not None
    assert max(unitless["high"]) < 200


def test_without_curves_none_is_expected() -> None:
    records = [replace(one, epoch=None, epochs=None) for one in with_curves(2).records() if one.epoch == 3]
    told = recommendations(job_of(), HeldMemory(records), 3)
    assert [one["curve"] for one in told["recommendations"]] == [None] * 3
    shipped = recommendations(job_of(), HeldMemory(), 3)["recommendations"]
    assert all(one["curve"] is None for one in shipped)


def test_the_end_of_a_curve_is_told_in_words() -> None:
    assert expected_end(None) == "–"
    assert expected_end({"expected": [0.1, 0.5], "low": [0.0, 0.4], "high": [0.2, 0.6]}) == "0.500 [0.400, 0.600]"

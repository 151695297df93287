import pytest

from graft.spec.fit import metric_problems, strategy_problems
from graft.spec.load import parse_job


def problems(strategy, task="classification", **changes):
    data = {"kind": "table", "path": "/nowhere.csv", "text": "text", "label": "label"}
    strategy = {"backbone": "minilm_l6", **strategy}
    job = parse_job({"name": "x", "data": data, "task": task, "strategy": strategy, **changes})
    return {problem.where: problem.message for problem in strategy_problems(job, job.task)}


@pytest.mark.parametrize("kind", ["delta", "bss", "contrast", "co_tuning"])
def test_compiled_code_does_not_show_activations(kind):
    told = problems({"penalty": {"choice": ["none", kind]}}, training={"compile": True})
    assert told["strategy.penalty"].startswith(f"is {kind}, which looks into the network, but training.compile is true")
    assert problems({"penalty": kind}) == {}
    assert problems({"penalty": "l2_sp"}, training={"compile": True}) == {}


def test_mixed_samples_have_no_label_to_compare():
    told = problems({"penalty": {"choice": ["none", "contrast"]}, "mix": "mixup"})
    assert told["strategy.mix"].startswith("is mixup, but the penalty contrast compares labels, and a mixed sample has")


def test_source_classes_belong_to_a_task_with_classes():
    told = problems({"penalty": "co_tuning"}, task="regression")
    assert told["strategy.penalty"] == (
        "is co_tuning, which belongs to task classification, but the task is regression; take another"
    )
    assert problems({"penalty": "delta", "loss": "huber"}, task="regression") == {}


def test_batch_norms_of_compiled_code_are_fixed():
    told = problems({"stochastic_norm": {"choice": [0.0, 0.5]}}, training={"compile": True})
    assert "compiled code has its batch norms fixed" in told["strategy.stochastic_norm"]
    assert problems({"stochastic_norm": 0.0}, training={"compile": True}) == {}


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"budget": {"target": 95}}, "is 95, but accuracy is at least 0 and at most 1; name a value that it can have"),
        ({"metric": "loss", "budget": {"target": {"loss": -0.1}}}, "is -0.1, but loss is at least 0; name a value"),
        ({"budget": {"target": 1}}, None),
        ({"metric": "loss", "budget": {"target": 7.5}}, None),
    ],
)
def test_a_target_is_one_that_a_model_can_reach(search, told):
    job = parse_job({"name": "x", "data": "digits", "search": search})
    found = [str(one) for one in metric_problems(job, job.decided_task)]
    assert [one.startswith(f"search.budget.target: {told}") for one in found] == ([True] if told else [])

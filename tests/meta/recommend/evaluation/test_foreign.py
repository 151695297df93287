from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.meta.memory.records import Scores, TrialState
from graft.meta.recommend.evaluation.evaluate import Evaluator
from graft.meta.recommend.evaluation.foreign import read_foreign

TASKS = {"share": [0.5, 0.6, -0.5, 1.7], "cent": [0.7, 60, 65]}


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_per_cent_and_empty_values_are_understood_and_told(tmp_path: Path) -> None:
    rows = (
        "task,modality,backbone,metric,value\nt,image,a,accuracy,84.5\nt,image,b,accuracy,nan\nt,image,c,accuracy,0.9\n"
    )
    found = read_foreign(written(tmp_path / "r.csv", rows))
    assert [one.value for one in found.memory.records()] == pytest.approx([0.845, 0.009])
    assert found.assumed == (
        "accuracy is in per cent, and was divided by 100",
        f"1 rows of {tmp_path / 'r.csv'} have no finite value, and are left out",
    )


def test_each_task_has_its_own_unit_and_a_value_that_cannot_be_changes_none(tmp_path: Path) -> None:
    rows = [f"{task},{at},accuracy,{value}" for task, values in TASKS.items() for at, value in enumerate(values)]
    found = read_foreign(written(tmp_path / "r.csv", "task,backbone,metric,value\n" + "\n".join(rows)))
    values = {task: [one.value for one in found.memory.records() if one.task == task] for task in TASKS}
    assert values == {"share": [0.5, 0.6], "cent": pytest.approx([0.007, 0.6, 0.65])}
    assert found.assumed == (
        "accuracy is in per cent for 1 of 2 tasks, and was divided by 100",
        f"2 rows of {tmp_path / 'r.csv'} have values that no model can have, and are left out",
    )


@pytest.mark.parametrize("metric", ["Accuracy", "test_accuracy", "Top-1 acc"])
def test_units_are_told_by_what_a_metric_is_however_it_is_called(tmp_path: Path, metric: str) -> None:
    """Differences in per cent beside shares would be a hundred times as large in one mean."""
    rows = f"task,backbone,metric,value\ns,a,{metric},0.9\ns,b,{metric},0.8\nc,a,{metric},91.5\nc,b,{metric},77\n"
    found = read_foreign(written(tmp_path / "r.csv", rows))
    assert [one.value for one in found.memory.records()] == pytest.approx([0.9, 0.8, 0.915, 0.77])
    assert found.assumed == (f"{metric} is in per cent for 1 of 2 tasks, and was divided by 100",)
    assert Evaluator().evaluate(found.memory).points == {metric: 100.0}


def test_epochs_may_be_counted_from_zero(tmp_path: Path) -> None:
    rows = "task,backbone,metric,value,epoch\nt,a,accuracy,0.1,0\nt,a,accuracy,0.2,1\nt,b,accuracy,0.2,\n"
    found = read_foreign(written(tmp_path / "r.csv", rows)).memory.records()
    assert [one.epoch for one in found] == [1, 2, None]


@pytest.mark.parametrize("cell", ["NA", "N/A", "<NA>", "-", "NaN", "Infinity", "-inf", ""])
def test_every_way_to_say_that_there_is_no_number_is_counted(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path / "r.csv", f"task,backbone,metric,value,seconds\nt,a,fun,{cell},1\nt,b,fun,2,{cell}\n")
    found = read_foreign(path)
    assert [(one.value, one.seconds) for one in found.memory.records()] == [(2, None)]
    assert f"1 rows of {path} have no finite value, and are left out" in found.assumed


def test_a_score_that_is_told_again_counts_with_its_mean(tmp_path: Path) -> None:
    records = written(tmp_path / "r.csv", "task,backbone,metric,value\nt,a,accuracy,0.1\n")
    scores = written(tmp_path / "s.csv", "task,backbone,score_name,value\nt,a,logme,1\nt,a,logme,3\n")
    found = read_foreign(records, scores)
    assert found.memory.scores() == [Scores("t", "a", "logme", 2.0)]
    assert found.assumed == (f"1 rows of {scores} tell a score again, and the mean counts",)


def test_scores_of_other_tasks_are_told(tmp_path: Path) -> None:
    records = written(tmp_path / "r.csv", "task,backbone,metric,value\nt,a,accuracy,0.1\n")
    scores = written(tmp_path / "s.csv", "task,backbone,score_name,value\nt,a,logme,1\nT,a,logme,1\n")
    (told,) = read_foreign(records, scores).assumed
    assert told == f"1 rows of {scores} are of tasks or backbones that {records} has not, and tell nothing"


@pytest.mark.parametrize(
    ("metric", "direction", "mode"),
    [
        ("accuracy", "", "max"),
        ("top1_error", "", "min"),
        ("val-loss", "", "min"),
        ("logloss", "", "min"),
        ("CrossEntropyLoss", "", "min"),
        ("nRMSE (test)", "", "min"),
        ("top1err", "", "min"),
        ("F1Score", "", "max"),
        ("quality", "", "max"),
        ("quality", "min", "min"),
    ],
)
def test_the_name_of_a_metric_says_which_direction_is_better(
    tmp_path: Path, metric: str, direction: str, mode: str
) -> None:
    rows = f"task,backbone,metric,value,direction\nt,a,{metric},0.4,{direction}\n"
    (record,) = read_foreign(written(tmp_path / "r.csv", rows)).memory.records()
    assert record.direction == mode


def test_epochs_are_a_curve_and_a_second_time_is_another_trial(tmp_path: Path) -> None:
    rows = "task,backbone,metric,value,epoch,seconds\n" + "t,a,accuracy,0.1,1,2\nt,a,accuracy,0.2,2,4\n" * 2
    records = read_foreign(written(tmp_path / "r.csv", rows)).memory.records()
    trials = [one.trial for one in records]
    assert trials[0] == trials[1] != trials[2] == trials[3]
    assert [one.seconds for one in records] == [2, 4, 2, 4]


def test_failed_trials_need_no_value_and_scores_without_one_are_left_out(tmp_path: Path) -> None:
    records = written(tmp_path / "r.csv", "task,backbone,metric,value,state\nt,a,accuracy,,failed\nt,b,accuracy,0.5,\n")
    scores = written(tmp_path / "s.csv", "task,backbone,score_name,value\nt,a,logme,inf\nt,b,logme,0.3\n")
    found = read_foreign(records, scores)
    assert [one.state for one in found.memory.records()] == [TrialState.FAILED, TrialState.FINISHED]
    assert found.memory.scores() == [Scores("t", "b", "logme", 0.3)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("task,backbone,value\nt,a,1\n", "must have metric too"),
        ("task,backbone,metric,value\nt,a,accuracy,much\n", "must be a number"),
        ("task,backbone,metric,value,strategy_json\nt,a,accuracy,1,{\n", "must be a JSON object"),
        ("task,backbone,metric,value,direction\nt,a,accuracy,1,up\n", "must be one of max, min"),
        ("task,backbone,metric,value,direction\nt,a,accuracy,1,min\n", "but of accuracy max is better"),
        ("task,backbone,metric,value,direction\nt,a,fun,1,min\nt,b,fun,1,max\n", "must be one for a metric"),
        ("task,backbone,metric,value,epoch\nt,a,accuracy,1,-1\n", "must be a whole number >= 0"),
    ],
)
def test_what_cannot_be_read_is_an_error_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read_foreign(written(tmp_path / "r.csv", text))

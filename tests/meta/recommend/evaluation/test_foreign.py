from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.meta.memory.records import Scores, TrialState
from graft.meta.recommend.evaluation.foreign import read_foreign


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


@pytest.mark.parametrize(
    ("metric", "direction", "mode"),
    [
        ("accuracy", "", "max"),
        ("top1_error", "", "min"),
        ("val-loss", "", "min"),
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
    ],
)
def test_what_cannot_be_read_is_an_error_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read_foreign(written(tmp_path / "r.csv", text))

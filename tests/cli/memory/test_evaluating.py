import pytest

ROWS = [(f"t{task}", f"b{one}", 60 + 5 * one + task) for task in range(3) for one in range(4)]
RECORDS = "task,modality,backbone,metric,value\n" + "".join(f"{t},image,{b},accuracy,{v}\n" for t, b, v in ROWS)
SCORES = "task,backbone,score_name,value\n" + "".join(f"{t},{b},logme,{-v}\n" for t, b, v in ROWS)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "r.csv").write_text(RECORDS)
    (tmp_path / "s.csv").write_text(SCORES)
    return tmp_path / "r.csv", "--scores", tmp_path / "s.csv"


def test_the_regret_of_every_method_is_told(graft, files):
    told = graft("memory", "evaluate", *files, "--leave-one-task-out", "--k", "1,3", "--json").json
    assert told["k"] == [1, 3]
    assert told["mean"]["random"]["1"] == 7.5
    assert told["mean"]["score:logme"] == {"1": 15.0, "3": 5.0}
    assert told["mean"]["prior"] == {"1": 0.0, "3": 0.0}
    assert [one["task"] for one in told["tasks"]] == ["t0", "t1", "t2"]
    assert set(told["thinned"]) == {"1"}
    assert told["assumed"] == ["accuracy is in per cent, and was divided by 100"]


def test_a_person_sees_a_table(graft, files):
    done = graft("memory", "evaluate", *files)
    assert done.exit_code == 0
    assert "score:logme" in done.out
    assert done.out.splitlines()[-1] == f"mean over 3 tasks of {files[0]} by accuracy"


def test_a_person_sees_what_was_not_compared(graft, files):
    files[0].write_text(RECORDS + "t0,image,b0,loss,0.5\n")
    told = graft("memory", "evaluate", *files).out.splitlines()[-1]
    assert told.endswith(" by accuracy; 1 record of other metrics, or without a value, not used")


@pytest.mark.parametrize("counts", ["0", "a", "1,,3", "99999"])
def test_odd_numbers_are_refused(graft, files, counts):
    done = graft("memory", "evaluate", *files, "--k", counts)
    assert (done.exit_code, done.out) == (2, "")
    assert "write 1,3,5,10" in done.err


def test_a_table_with_nothing_to_compare_is_refused(graft, tmp_path):
    (tmp_path / "r.csv").write_text("task,backbone,metric,value\nt,a,accuracy,0.5\n")
    done = graft("memory", "evaluate", tmp_path / "r.csv")
    assert done.exit_code == 2
    assert "nothing can be compared" in done.err

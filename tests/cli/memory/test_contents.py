import pytest

CSV = """task,modality,backbone,strategy_json,epoch,metric,value,seconds
birds,image,mobilenet_v2,"{""freeze"": 1.0, ""lr"": 0.01}",1,accuracy,0.61,3
birds,image,mobilenet_v2,"{""freeze"": 1.0, ""lr"": 0.01}",2,accuracy,0.66,6
birds,image,efficientnet_lite0,,,accuracy,0.71,
dogs,image,mobilenet_v2,,,accuracy,0.5,
"""
SCORES = "task,backbone,score_name,value\nbirds,mobilenet_v2,logme,0.4\n"


@pytest.fixture
def memory(graft, tmp_path):
    """A memory into which two files were imported."""
    (tmp_path / "r.csv").write_text(CSV)
    (tmp_path / "s.csv").write_text(SCORES)
    place = tmp_path / "memory"
    done = graft("memory", "import", tmp_path / "r.csv", "--scores", tmp_path / "s.csv", "--memory", place)
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"4 records, 1 score, 2 tasks added to {place}\n"
    return place


def test_an_empty_memory_is_listed(graft, tmp_path):
    done = graft("memory", "ls", "--memory", tmp_path / "none")
    assert (done.exit_code, done.out) == (0, f"0 tasks, 0 records in 0 parts of {tmp_path / 'none'}\n")


@pytest.mark.parametrize("command", ["show", "forget"])
def test_an_empty_memory_says_what_fills_it(graft, tmp_path, command):
    done = graft("memory", command, "digits", "--memory", tmp_path / "none")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err == (
        "graft: task is `digits`, but the memory knows none yet; every run brings one, and so do `graft memory sync` "
        "and `graft memory import`\n"
    )


def test_tasks_are_listed_with_their_best(graft, memory):
    told = graft("memory", "ls", "--memory", memory, "--json").json
    best = {row["task"]: (row["best"], row["winner"], row["trials"], row["scores"]) for row in told["tasks"]}
    assert best == {"birds": (0.71, "efficientnet_lite0", 2, 1), "dogs": (0.5, "mobilenet_v2", 1, 0)}
    assert (told["records"], told["left_out"]) == (4, [])
    assert "accuracy 0.710" in graft("memory", "ls", "--memory", memory).out


def test_a_task_is_shown_with_curves_and_scores(graft, memory):
    told = graft("memory", "show", "birds", "--memory", memory, "--json").json
    curves = {one["label"]: one["curve"] for one in told["trials"]}
    assert curves == {"efficientnet_lite0": {"0": 0.71}, "mobilenet_v2 freeze=1": {"1": 0.61, "2": 0.66}}
    assert told["scores"][0]["value"] == 0.4
    shown = graft("memory", "show", "birds", "--memory", memory).out
    assert "logme of mobilenet_v2: 0.4000" in shown
    assert "mobilenet_v2 freeze=1" in shown


def test_an_unknown_task_is_refused_with_the_nearest_one(graft, memory):
    done = graft("memory", "show", "brids", "--memory", memory)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err == "graft: task is `brids`, but must be one of birds, dogs; did you mean `birds`?\n"


def test_a_task_is_forgotten(graft, memory):
    assert graft("memory", "forget", "birds", "--memory", memory).out == "forgot birds: 5 entries\n"
    told = graft("memory", "ls", "--memory", memory, "--json").json
    assert [row["task"] for row in told["tasks"]] == ["dogs"]


def test_what_is_exported_can_be_imported_elsewhere(graft, memory, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    told = graft("memory", "export", out, "--task", "birds", "--memory", memory, "--json").json
    assert told["entries"] == {"tasks": 1, "scores": 1, "records": 3}
    files = ["--scores", out / "scores.parquet", "--tasks", out / "tasks.parquet", "--memory", other]
    assert graft("memory", "import", out / "records.parquet", *files).out.startswith("3 records, 1 score, 1 task ")
    again = graft("memory", "import", out / "records.parquet", *files, "--json").json
    assert (again["records"], again["known_records"], again["tasks"]) == (0, 3, 0)


def test_wrong_results_are_refused_before_anything_is_taken(graft, memory, tmp_path):
    (tmp_path / "bad.csv").write_text(
        "task,modality,backbone,metric,value\na,image,m,accuracy,0.5\na,image,m,accuracy,3\n"
    )
    done = graft("memory", "import", tmp_path / "bad.csv", "--memory", memory)
    assert done.exit_code == 2
    assert "line 3, value: is 3, but accuracy must be >= 0 and <= 1" in done.err
    assert graft("memory", "ls", "--memory", memory, "--json").json["records"] == 4


def test_a_damaged_part_is_told_in_a_line_once(graft, memory, caplog):
    next((memory / "records").glob("*.parquet")).write_bytes(b"x")
    for command in (("ls",), ("forget", "birds")):
        done = graft("memory", *command, "--memory", memory)
        assert done.exit_code == 0
        assert done.err.count("is left out: it") == 1
    assert not caplog.records, "the command says it"


def test_what_synchronising_leaves_out_is_told(graft, memory, make_experiment, story, tmp_path):
    experiment = make_experiment(story)
    next((memory / "records").glob("*.parquet")).write_bytes(b"x")
    done = graft("memory", "sync", experiment.name, "--memory", memory, "--home", experiment.directory.parents[1])
    assert done.exit_code == 0
    assert done.err.count("is left out: it") == 1


def test_there_is_no_memory_where_it_is_off(graft, monkeypatch):
    monkeypatch.setenv("GRAFT_MEMORY", "off")
    done = graft("memory", "ls")
    assert done.exit_code == 2
    assert "GRAFT_MEMORY is `off`" in done.err


def test_an_address_that_no_store_has_is_the_users_to_mend(graft, tmp_path):
    found = graft("memory", "sync", "--mlflow", "nonsense://x", "--home", tmp_path / "home", "--json")
    assert found.exit_code == 2
    assert found.json["error"].startswith("--mlflow is `nonsense://x`, but must begin with http")

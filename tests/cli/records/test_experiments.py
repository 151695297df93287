import os

from graft.journal import events
from graft.journal.events import ExperimentStatus


def test_an_empty_home_says_how_to_start(graft, home):
    done = graft("experiments")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == f"no experiments in {home}/experiments; start one with `graft run JOB`\n"
    assert graft("experiments", "--json").json == []
    assert not home.exists()


def test_the_newest_comes_first_with_its_state(graft, make_experiment, story):
    old = make_experiment([*story, events.ExperimentFinished(ExperimentStatus.COMPLETED, 20.0)])
    new = make_experiment(
        [events.ExperimentStarted("x", "x", {}), events.ExperimentFinished(ExperimentStatus.FAILED, 1.0)]
    )
    killed = make_experiment([events.ExperimentStarted("y", "y", {})], name="other")
    for age, experiment in enumerate((killed, new, old)):
        os.utime(experiment.job_file, (1000 - age, 1000 - age))
    assert graft("experiments", "--json").json == [
        {"experiment": killed.name, "status": "running or killed", "trials": 0, "validation": None},
        {"experiment": new.name, "status": "failed", "trials": 0, "validation": None},
        {"experiment": old.name, "status": "completed", "trials": 4, "validation": 0.9},
    ]
    assert graft("experiments").out.splitlines() == [
        f"{killed.name}  running or killed  0 trials  best validation –",
        f"{new.name}  failed  0 trials  best validation –",
        f"{old.name}  completed  4 trials  best validation 0.900",
    ]


def test_a_resumed_experiment_is_not_finished(graft, make_experiment, story):
    again = events.ExperimentStarted("digits-1", "digits-1", {})
    make_experiment([*story, events.ExperimentFinished(ExperimentStatus.INTERRUPTED, 20.0), again])
    assert graft("experiments", "--json").json[0]["status"] == "running or killed"


def test_what_is_no_experiment_is_passed_over(graft, make_experiment, home):
    experiment = make_experiment([])
    (home / "experiments" / "notes").mkdir()
    (home / "experiments" / "readme.txt").write_text("x")
    assert [row["experiment"] for row in graft("experiments", "--json").json] == [experiment.name]


def test_one_damaged_experiment_does_not_hide_the_others(graft, make_experiment, story):
    good, bad = make_experiment(story), make_experiment(story)
    bad.journal_file.unlink()
    done = graft("experiments", "--json")
    assert done.exit_code == 0
    assert {row["experiment"] for row in done.json} == {good.name, bad.name}


def test_an_experiment_that_recorded_nothing_says_what_to_do(graft, make_experiment):
    experiment = make_experiment([])
    experiment.journal_file.unlink()
    done = graft("status", experiment.name)
    assert done.exit_code == 1
    assert "is not there, so nothing was recorded" in done.err
    assert f"delete {experiment.directory}, and run the job anew" in done.err

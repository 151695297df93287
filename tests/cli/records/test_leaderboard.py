import json

import pytest

from graft.journal import events
from graft.journal.events import TrialStatus


def test_an_empty_home_says_how_to_start(graft, home):
    done = graft("leaderboard")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err == (
        f"graft: experiment is `latest`, but {home}/experiments holds none yet; start one with `graft run`\n"
    )
    assert not home.exists()


def test_an_empty_home_with_json_is_one_object(graft, home):
    done = graft("leaderboard", "digits", "--json")
    assert (done.exit_code, done.json["status"]) == (2, "failed")
    assert "experiment is `digits`" in done.json["problems"][0]


def test_json_ranks_all_trials(graft, make_experiment, story):
    experiment = make_experiment(story)
    done = graft("leaderboard", "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert (done.json["experiment"], done.json["metric"]) == (experiment.name, "accuracy")
    rows = [(row["rank"], row["trial"], row["status"], row["score"]) for row in done.json["trials"]]
    assert rows == [
        (1, "t01", "completed", 0.9),
        (2, "t03", "running", 0.65),
        (3, "t00", "stopped", 0.6),
        (4, "t02", "failed", None),
    ]


def test_json_says_of_each_trial_what_it_did(graft, make_experiment, story):
    make_experiment(story)
    best, _, stopped, failed = graft("leaderboard", "--json").json["trials"]
    assert (best["epochs"], best["best_epoch"], best["seconds"]) == (3, 2, 7.0)
    assert best["metrics"]["train/loss"] == pytest.approx(0.1)
    assert best["strategy"]["freeze"] == 0.5
    assert best["label"] == "efficientnet_lite0 freeze=0.5"
    assert stopped["reason"] == "below the best third at epoch 2"
    assert failed["reason"] == "non-finite loss at epoch 1"


def test_the_table_shows_all_of_them_with_reasons(graft, make_experiment, story):
    make_experiment(story)
    lines = graft("leaderboard").out.splitlines()
    assert lines[0].split() == [
        "#",
        "trial",
        "accuracy",
        "epochs",
        "seconds",
        "state",
        "strategy",
        "why",
        "it",
        "ended",
    ]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["1", "t01", "0.900"],
        ["2", "t03", "0.650"],
        ["3", "t00", "0.600"],
        ["4", "t02", "–"],
    ]
    assert lines[4].rstrip().endswith("non-finite loss at epoch 1")


def test_a_star_marks_the_winner_which_need_not_be_the_first(graft, make_experiment, story):
    make_experiment([*story, events.WinnerChosen("t03", "a lower loss than t01")])
    lines = graft("leaderboard").out.splitlines()
    assert [line.split()[1:3] for line in lines[1:3]] == [["t01", "0.900"], ["t03", "*"]]
    assert lines[-1].strip() == "* wins: a lower loss than t01"
    told = {row["trial"]: row["winner"] for row in graft("leaderboard", "--json").json["trials"]}
    assert told == {"t00": "", "t01": "", "t02": "", "t03": "a lower loss than t01"}


def test_a_loss_is_better_when_smaller(graft, make_experiment):
    story = []
    for name, loss in (("t00", 0.9), ("t01", 0.2)):
        story += [events.TrialStarted(name, {}, name), events.TrialReported(name, 1, {"val/loss": loss}, 1.0)]
    make_experiment(story, search={"metric": "loss"})
    found = graft("leaderboard", "--json").json
    assert found["metric"] == "loss"
    assert [row["trial"] for row in found["trials"]] == ["t01", "t00"]


def test_a_trial_that_became_infinite_is_still_json(graft, make_experiment):
    metrics = {"val/accuracy": 0.5, "val/loss": float("inf"), "train/loss": float("nan")}
    make_experiment(
        [
            events.TrialStarted("t00", {}, "x"),
            events.TrialReported("t00", 1, metrics, 1.0),
            events.TrialFinished("t00", TrialStatus.FAILED, "non-finite loss at epoch 1"),
        ]
    )
    (row,) = graft("leaderboard", "--json").json["trials"]
    assert row["score"] == 0.5
    assert row["metrics"]["val/accuracy"] == 0.5


def test_a_trial_that_was_resumed_keeps_what_it_had(graft, make_experiment, story):
    cut = events.TrialFinished("t03", TrialStatus.INTERRUPTED, "the search ended before this trial did")
    again = [events.ExperimentStarted("digits-1", "digits-1", {}), events.TrialStarted("t03", {}, "again")]
    make_experiment([*story, cut, *again])
    (resumed,) = [row for row in graft("leaderboard", "--json").json["trials"] if row["trial"] == "t03"]
    assert (resumed["rank"], resumed["score"], resumed["epochs"], resumed["status"]) == (2, 0.65, 1, "running")
    make_experiment([*story, cut, *again, events.TrialReported("t03", 2, {"val/accuracy": 0.95}, 1.0)])
    best = graft("leaderboard", "--json").json["trials"][0]
    assert (best["trial"], best["epochs"], best["best_epoch"]) == ("t03", 2, 2)
    assert best["label"] == "efficientnet_lite0 freeze=0.25"


def test_json_says_in_which_phase_and_after_how_many_copies(graft, make_experiment, population):
    make_experiment(population)
    rows = {row["trial"]: row for row in graft("leaderboard", "--json").json["trials"]}
    assert {name: (row["phase"], row["exploits"]) for name, row in rows.items()} == {
        "t01": (0, 0),
        "t02": (0, 0),
        "t03": (1, 0),
        "t04": (1, 1),
    }


def test_an_experiment_without_trials_has_an_empty_table(graft, make_experiment):
    make_experiment([])
    assert graft("leaderboard", "--json").json["trials"] == []
    assert graft("leaderboard").exit_code == 0


def test_a_job_means_its_newest_experiment(graft, make_experiment, story):
    import os

    old, new = make_experiment(story), make_experiment([])
    other = make_experiment([], name="other")
    for age, experiment in enumerate((other, new, old)):
        os.utime(experiment.job_file, (1000 - age, 1000 - age))
    assert graft("leaderboard", "digits", "--json").json["experiment"] == new.name
    assert graft("leaderboard", old.name, "--json").json["experiment"] == old.name
    assert graft("leaderboard", "latest", "--json").json["experiment"] == other.name


def test_an_unknown_experiment_suggests_a_name(graft, make_experiment):
    experiment = make_experiment([])
    done = graft("leaderboard", experiment.name[:-1])
    assert done.exit_code == 2
    assert f"did you mean `{experiment.name}`?" in done.err


@pytest.mark.parametrize("name", ["../digits", "/etc", ".", ""])
def test_a_path_is_not_an_experiment(graft, make_experiment, name):
    make_experiment([])
    assert graft("leaderboard", name).exit_code == 2


def test_another_home_is_looked_at(graft, make_experiment, tmp_path):
    make_experiment([])
    done = graft("leaderboard", "--home", tmp_path / "other")
    assert done.exit_code == 2
    assert f"{tmp_path / 'other'}/experiments holds none yet" in done.err


def test_a_damaged_journal_is_named_with_the_place(graft, make_experiment, story):
    experiment = make_experiment(story)
    lines = experiment.journal_file.read_bytes().splitlines(keepends=True)
    experiment.journal_file.write_bytes(lines[0] + b"{oh no}\n" + b"".join(lines[1:]))
    done = graft("leaderboard")
    assert (done.exit_code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith(f"graft: {experiment.journal_file}, byte {len(lines[0])}: ")


def test_a_torn_last_line_is_ignored(graft, make_experiment, story):
    experiment = make_experiment(story)
    before = graft("leaderboard", "--json").json
    with experiment.journal_file.open("ab") as stream:
        stream.write(b'{"v":1,"kind":"TrialStar')
    assert graft("leaderboard", "--json").json == before


def test_records_of_a_newer_graft_are_passed_over(graft, make_experiment, story):
    experiment = make_experiment(story)
    before = graft("leaderboard", "--json").json
    with experiment.journal_file.open("a") as stream:
        stream.write(json.dumps({"v": 1, "kind": "PrefixFrozen", "time": 1.0, "cut": 3}) + "\n")
    assert graft("leaderboard", "--json").json == before


def test_a_damaged_job_file_of_an_experiment_is_named(graft, make_experiment):
    experiment = make_experiment([])
    experiment.job_file.write_text("name: [\n")
    done = graft("leaderboard")
    assert done.exit_code == 1
    assert "internal error" not in done.err
    assert str(experiment.job_file) in done.err

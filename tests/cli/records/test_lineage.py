"""`graft lineage`: who copied whom, when, and what changed."""

from graft.journal import events


def test_json_says_who_copied_whom_when_and_what_changed(graft, make_experiment, population):
    experiment = make_experiment(population)
    done = graft("lineage", "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert set(done.json) == {"experiment", "depth", "best", "exploits", "segments"}
    assert done.json["experiment"] == experiment.name
    assert done.json["exploits"] == [
        {
            "trial": "t04",
            "segment": 1,
            "donor": "t03",
            "donor_segment": 0,
            "epoch": 3,
            "changes": {"lr": [0.01, 0.012]},
            "reason": "accuracy 0.5000 is among the worst 1 of 2 at epoch 3; copies t03 (0.8000): lr 0.01 -> 0.012",
        }
    ]
    assert done.json["depth"] == 1


def test_json_says_where_every_stretch_of_every_trial_came_from(graft, make_experiment, population):
    make_experiment(population)
    found = graft("lineage", "--json").json
    segments = [(one["trial"], one["segment"], one["phase"], one["from"]) for one in found["segments"]]
    assert segments == [
        ("t01", 0, 0, None),
        ("t02", 0, 0, None),
        ("t03", 0, 1, {"trial": "t01", "segment": 0, "epoch": 2}),
        ("t04", 0, 1, {"trial": "t02", "segment": 0, "epoch": 2}),
        ("t04", 1, 1, {"trial": "t03", "segment": 0, "epoch": 3}),
    ]
    assert [one["strategy"]["lr"] for one in found["segments"]] == [0.01, 0.05, 0.01, 0.05, 0.012]
    assert found["best"] == {"trial": "t04", "segment": 1, "epoch": 4}


def test_the_drawing_has_a_row_a_trial_and_the_best(graft, make_experiment, population):
    make_experiment(population)
    done = graft("lineage")
    assert (done.exit_code, done.err) == (0, "")
    lines = done.out.splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("t0")}
    assert list(rows) == ["t01", "t03", "t04"]
    assert "‹t01" in rows["t03"]
    assert "‹t02" in rows["t04"]
    assert "‹t03" in rows["t04"]
    assert "★" in rows["t04"]
    assert "1 more neither copied nor were copied from" in lines


def test_the_text_tells_every_copy_with_its_reason(graft, make_experiment, population):
    make_experiment(population)
    assert graft("lineage").out.splitlines()[-1] == (
        "epoch 3  t04 <- t03  accuracy 0.5000 is among the worst 1 of 2 at epoch 3; copies t03 (0.8000): "
        "lr 0.01 -> 0.012"
    )


def test_a_search_without_copies_says_so(graft, make_experiment, story):
    make_experiment(story)
    done = graft("lineage")
    assert (done.exit_code, done.out) == (0, "no trial has copied from another\n")
    found = graft("lineage", "--json").json
    assert (found["exploits"], found["depth"]) == ([], 0)
    assert found["best"] == {"trial": "t01", "segment": 0, "epoch": 2}


def test_an_experiment_that_has_not_begun_has_no_lineage_yet(graft, make_experiment):
    make_experiment([])
    assert graft("lineage").exit_code == 0
    found = graft("lineage", "--json").json
    assert (found["best"], found["exploits"], found["segments"]) == (None, [], [])


def test_a_search_that_went_on_after_a_break_is_one_lineage(graft, make_experiment, population):
    again = [
        events.ExperimentStarted("digits-1", "digits-1", {"name": "digits"}),
        *(one for one in population if isinstance(one, events.TrialStarted) and one.trial == "t04"),
    ]
    make_experiment([*population[:-4], *again, *population[-4:]])
    found = graft("lineage", "--json").json
    assert len(found["segments"]) == 5
    assert len(found["exploits"]) == 1


def test_an_experiment_is_found_by_the_name_of_its_job(graft, make_experiment, population, story):
    make_experiment(population, name="evolved")
    make_experiment(story, name="other")
    assert len(graft("lineage", "evolved", "--json").json["exploits"]) == 1
    assert graft("lineage", "other", "--json").json["exploits"] == []


def test_an_empty_home_says_how_to_start(graft, home):
    done = graft("lineage", "--json")
    assert (done.exit_code, done.json["status"]) == (2, "failed")
    assert "start one with `graft run`" in done.json["error"]
    assert not home.exists()

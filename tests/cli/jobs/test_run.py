"""What `graft run` and `graft resume` print; the run itself is replaced: tests/integration has real ones."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from graft.core.errors import Interrupted, TrialError
from graft.core.storage import Home, write_json
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.replay import read_schedule
from graft.experiments.result import Result
from graft.experiments.standing.leaderboard import leaderboard
from graft.journal import events
from graft.journal.events import Event
from graft.journal.journal import Journal
from graft.pipeline.resolve import resolve_job
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import load_job
from graft.spec.strategy import Strategy

KEYS = {
    "experiment", "status", "metric", "validation", "test", "test_interval", "winner", "trials", "seconds", "stages",
    "bundle", "model_uri", "tracking_uri", "experiment_dir", "exploits", "phases", "budget", "workers", "nodes",
    "task", "modalities", "metrics",
}  # fmt: skip


def summary_of(experiment: Experiment, **changes: Any) -> dict[str, Any]:
    trials = {"total": 4, "completed": 1, "stopped": 1, "failed": 1, "interrupted": 0, "duplicates": 1}
    return {
        "experiment": experiment.name,
        "status": "completed",
        "task": "classification",
        "modalities": ["image"],
        "metric": "accuracy",
        "metrics": {"validation": {"accuracy": {"value": 0.9, "interval": None}}},
        "validation": 0.9,
        "test": 0.875,
        "test_interval": [0.8, 0.92],
        "winner": {"freeze": 0.5},
        "winner_trial": "t01",
        "trials": trials,
        "seconds": 62.4,
        "stages": {"ingest": 3.0},
        "bundle": str(experiment.bundle),
        "model_uri": "models:/digits@champion",
        "tracking_uri": "sqlite:////x/mlflow.db",
        "experiment_dir": str(experiment.directory),
        "tracking_complete": True,
        "exploits": 3,
        "phases": [{"scheduler": "asha", "trials": 4, "best": 0.9}],
        "budget": {"asked_s": None, "used_s": 62.4, "stopped_by": "trials"},
        "workers": 1,
        "nodes": 1,
        **changes,
    }


@pytest.fixture
def fake_run(monkeypatch, story: Sequence[Event]):
    """Replaces the run: tells a story to the listeners, chatters, then returns a result or raises."""
    ran: list[Experiment] = []

    def install(error: BaseException | None = None, **changes: Any) -> list[Experiment]:
        def run_experiment(experiment: Experiment, home: Any, options: Any) -> Result:
            ran.append(experiment)
            progress = Progress(experiment.job().objective, experiment.job().training.epochs)
            os.write(1, b"chatter of a library\n")
            os.write(2, b"a warning of a library\n")
            for event in story:
                progress.apply(event)
                for listener in options.listeners:
                    listener(event)
            if error is not None:
                raise error
            progress.apply(events.WinnerChosen("t01", "best validation accuracy 0.900 of 4 trials"))
            return Result(summary_of(experiment, **changes), leaderboard(progress))

        monkeypatch.setattr("graft.pipeline.run.run_experiment", run_experiment)
        return ran

    return install


@pytest.fixture
def job(job_file):
    return job_file("name: digits\ndata: {kind: digits}\nsearch: {budget: {trials: 6}}\n")


def test_json_is_one_object_with_the_keys_of_the_contract(graft, fake_run, job, home):
    fake_run()
    done = graft("run", job, "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    assert set(done.json) >= KEYS
    assert set(done.json["trials"]) >= {"total", "completed", "stopped", "failed", "duplicates"}
    assert done.json["experiment_dir"].startswith(str(home / "experiments" / "digits-"))


def test_a_log_of_json_is_an_object_a_line(graft, fake_run, job, monkeypatch):
    ran = fake_run()
    done = graft("run", job, "--log-format", "json")
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert {line["experiment"] for line in lines} == {ran[0].name}
    assert {"t00", None} < {line["trial"] for line in lines}
    assert set(done.json) >= KEYS
    monkeypatch.setenv("GRAFT_LOG_FORMAT", "json")
    assert len(graft("run", job).err.splitlines()) >= len(lines)
    fake_run(error=TrialError("all trials have failed"))
    assert graft("run", job).json["error"] == "all trials have failed"


def test_the_report_says_what_came_out_and_what_to_do_next(graft, fake_run, job, home):
    ran = fake_run(tracking_uri=f"sqlite:///{home}/mlflow.db")
    done = graft("run", job)
    name = ran[0].name
    assert done.exit_code == 0
    assert [line.split()[1] for line in done.out.splitlines() if re.match(r"\s+\d ", line)] == [
        "t01",
        "t03",
        "t00",
        "t02",
    ]
    assert "winner      t01: best validation accuracy 0.900 of 4 trials\n" in done.out
    assert "test        accuracy 0.875, 95 % interval 0.800 to 0.920\n" in done.out
    assert f"bundle      {ran[0].bundle}\n" in done.out
    assert f"took        62 s; log in {ran[0].directory}/log.txt\n" in done.out
    assert done.out.splitlines()[-4:] == [
        "next:",
        f"  graft leaderboard {name}",
        "  graft predict models:/digits@champion FILE…",
        "  graft ui",
    ]


def test_without_registration_the_bundle_is_what_to_predict_with(graft, fake_run, job):
    ran = fake_run(model_uri=None)
    done = graft("run", job)
    assert f"  graft predict {ran[0].bundle} FILE…\n" in done.out


def test_a_model_that_predict_would_not_find_by_its_name_is_named_by_its_bundle(graft, fake_run, job, monkeypatch):
    ran = fake_run(tracking_uri="http://tracker:5000")
    told = graft("run", job).out
    assert f"  graft predict {ran[0].bundle} FILE…\n" in told
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert "  graft predict models:/digits@champion FILE…\n" in graft("run", job).out
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another:5000")
    assert f"  graft predict {ran[0].bundle} FILE…\n" in told


def test_a_command_to_copy_is_quoted_for_the_shell(graft, fake_run, job, home):
    fake_run(tracking_uri=f"sqlite:///{home}/mlflow.db", model_uri="models:/o'neil's best@champion")
    assert """  graft predict 'models:/o'"'"'neil'"'"'s best@champion' FILE…\n""" in graft("run", job).out


def test_what_to_do_next_with_a_model_of_texts_is_to_give_it_one(graft, fake_run, job):
    fake_run(model_uri=None, modalities=["text"])
    assert " --text '…'\n" in graft("run", job).out


def test_what_has_not_reached_mlflow_is_said(graft, fake_run, job):
    ran = fake_run(tracking_complete=False)
    done = graft("run", job)
    assert f"not everything has reached MLflow; finish with: graft track sync {ran[0].name}\n" in done.out


def test_chatter_of_libraries_goes_to_the_log(graft, fake_run, job):
    ran = fake_run()
    done = graft("run", job)
    assert "of a library" not in done.out + done.err
    assert ran[0].log_file.read_text().splitlines() == ["chatter of a library", "a warning of a library"]


def test_progress_is_told_in_lines_where_there_is_no_terminal(graft, fake_run, job):
    fake_run()
    lines = graft("run", job).err.splitlines()
    assert "ingest: done in 3.0 s (1797 images)" in lines
    assert any(line.startswith("  [2/6] t01 ") for line in lines)


def test_the_first_line_is_there_before_anything_slow(graft, job, monkeypatch):
    def slow(*args: object) -> None:
        raise TrialError("stop here")

    monkeypatch.setattr("graft.pipeline.run.check_job", slow)
    done = graft("run", job)
    assert done.err.splitlines() == [
        f"{job}: digits, 6 trials (asha)",
        "task: classification of images by accuracy (each image shows one of ten digits)",
        "data: 1,797 images (1,079 train, 359 drawn for validation, 359 drawn for test)",
        "classes: 0 (178), 1 (182), 2 (177), 3 (183), 4 (181), 5 (182), 6 (181), 7 (179), 8 (174), 9 (180); 10 in all",
        "graft: stop here",
    ]


def test_the_experiment_keeps_the_job_with_its_overrides(graft, fake_run, job):
    ran = fake_run()
    graft("run", job, "--set", "training.epochs=3")
    assert ran[0].job().training.epochs == 3
    assert ran[0].job().name == "digits"


def test_the_home_is_where_the_option_says(graft, fake_run, job, home, tmp_path):
    ran = fake_run()
    graft("run", job, "--home", tmp_path / "elsewhere")
    assert ran[0].directory.parent == tmp_path / "elsewhere" / "experiments"
    assert not home.exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_an_interrupted_run_exits_130_and_says_how_to_go_on(graft, fake_run, job, as_json):
    fake_run(Interrupted("interrupted; the best model so far is in /x; `graft resume digits` goes on"))
    done = graft("run", job, *(["--json"] if as_json else []))
    assert done.exit_code == 130
    assert "`graft resume digits` goes on" in (done.json["error"] if as_json else done.err.splitlines()[-1])


def test_after_a_failed_run_the_terminal_is_ours_again(graft, fake_run, job, capfd):
    fake_run(TrialError("no trial got a score"))
    graft("run", job)
    os.write(1, b"ours again\n")
    assert capfd.readouterr().out.endswith("ours again\n")


@pytest.mark.parametrize("text", ["name: digits\n", "name: digits\ndata: {kind: digits}\nstrategy: {backbone: nope}\n"])
def test_a_wrong_job_makes_nothing(graft, fake_run, job_file, home, text):
    ran = fake_run()
    done = graft("run", job_file(text), "--json")
    assert (done.exit_code, done.json["status"]) == (2, "failed")
    assert ran == []
    assert not home.exists()


def test_resume_goes_on_with_the_newest_experiment(graft, fake_run, make_experiment):
    experiment = make_experiment([])
    ran = fake_run()
    done = graft("resume", "--json")
    assert (done.exit_code, done.json["experiment"]) == (0, experiment.name)
    assert ran == [experiment]


def test_resume_needs_an_experiment(graft, fake_run, home):
    ran = fake_run()
    done = graft("resume")
    assert (done.exit_code, ran) == (2, [])
    assert "start one with `graft run`" in done.err


def test_home_is_taken_from_the_environment(graft, fake_run, job, home):
    ran = fake_run()
    assert json.loads(graft("run", job, "--json").out)["experiment"] == ran[0].name
    assert ran[0].directory.parent == home / "experiments"


SCHEDULE = Schedule((Stretch(0, 2, Strategy(lr=0.1)), Stretch(2, 6, Strategy(lr=0.02))))


class TestReplay:
    """`graft run --replay`: what an earlier search has found, on other data."""

    @pytest.fixture
    def schedule(self, tmp_path) -> Path:
        write_json(tmp_path / "found.json", SCHEDULE.to_dict())
        return tmp_path / "found.json"

    def test_a_file_is_replayed_by_one_trial(self, graft, fake_run, job, schedule):
        ran = fake_run()
        done = graft("run", job, "--replay", schedule)
        assert done.exit_code == 0
        assert done.err.splitlines()[0] == f"{job}: digits, replays {schedule}"
        (experiment,) = ran
        assert read_schedule(experiment.replay_file) == SCHEDULE
        (phase,) = experiment.job().phases
        assert (phase.trials, phase.scheduler.kind) == (1, "none")
        assert experiment.job().strategy.values("lr") == (0.02,)

    def test_an_experiment_is_replayed_by_its_name(self, graft, fake_run, job, make_experiment):
        source = make_experiment([], name="other")
        write_json(source.schedule_file, SCHEDULE.to_dict())
        ran = fake_run()
        assert graft("run", job, "--replay", "other").exit_code == 0
        assert read_schedule(ran[0].replay_file) == SCHEDULE
        assert ran[0].job().name == "digits"

    def test_a_search_has_nothing_to_replay(self, graft, fake_run, job):
        ran = fake_run()
        graft("run", job)
        assert not ran[0].replay_file.exists()

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("{torn", "is no strategy schedule"),
            ("[]", "is not a strategy schedule; give a file that a population-based search has saved"),
            (
                '{"format": 1, "epochs": 1, "stretches": [{"from": 0, "to": 1, "strategy": {"warp": 9}}]}',
                "has the strategy field `warp`, which this version does not know",
            ),
        ],
    )
    def test_a_bad_file_is_one_line_and_makes_nothing(self, graft, fake_run, job, tmp_path, home, content, told):
        path = tmp_path / "bad.json"
        path.write_text(content)
        ran = fake_run()
        done = graft("run", job, "--replay", path)
        assert (done.exit_code, done.out, ran) == (2, "", [])
        assert len(done.err.splitlines()) == 1
        assert done.err.startswith("graft: ")
        assert str(path) in done.err
        assert told in done.err
        assert not home.exists()

    def test_a_bad_file_is_one_json_object(self, graft, fake_run, job, tmp_path):
        fake_run()
        done = graft("run", job, "--json", "--replay", tmp_path / "none.json")
        assert (done.exit_code, done.json["status"], len(done.json["problems"])) == (2, "failed", 1)

    def test_an_experiment_without_a_schedule_says_so(self, graft, fake_run, job, make_experiment):
        make_experiment([], name="other")
        ran = fake_run()
        done = graft("run", job, "--replay", "other")
        assert (done.exit_code, ran) == (2, [])
        assert "the search must have ended with a winner" in done.err

    def test_a_name_that_is_nothing_is_told(self, graft, fake_run, job):
        fake_run()
        done = graft("run", job, "--replay", "nope")
        assert (done.exit_code, len(done.err.splitlines())) == (2, 1)
        assert "`nope`" in done.err

    def test_a_wrong_job_is_told_before_the_schedule(self, graft, fake_run, job_file, schedule):
        fake_run()
        done = graft("run", job_file("name: digits\n"), "--replay", schedule)
        assert done.exit_code == 2
        assert "data: is missing" in done.err


CUT_OFF = "name: cut\ndata: digits\nstrategy: {lr: {loguniform: [1.0e-3, 1.0e-2]}}\nsearch: {budget: {trials: 4}}\n"


def cut_off(home: Path, job: Path) -> Experiment:
    """An experiment of a job, of which only the beginning is there."""
    experiment = Experiment.create(Home(home), resolve_job(load_job(job)).job)
    with Journal(experiment.journal_file) as journal:
        journal.append(events.ExperimentStarted(experiment.name, experiment.name, {}, {}))
    return experiment


def test_run_goes_on_with_a_job_that_was_cut_off_if_asked_to(graft, fake_run, job_file, home):
    file = job_file(CUT_OFF)
    before = cut_off(home, file)
    ran = fake_run()
    done = graft("run", file, "--resume", "--json")
    assert done.exit_code == 0
    assert f"goes on with {before.name}" in done.err
    assert ran == [before]


def test_without_being_asked_a_new_experiment_begins_and_the_other_is_named(graft, fake_run, job_file, home):
    file = job_file(CUT_OFF)
    before = cut_off(home, file)
    ran = fake_run()
    done = graft("run", file, "--json")
    assert f"{before.name} was cut off; a new experiment begins (--resume goes on with it)" in done.err
    assert ran != [before]


def test_resume_takes_more_time_and_nothing_that_trials_depend_on(graft, fake_run, job_file, home):
    experiment = cut_off(home, job_file(CUT_OFF))
    ran = fake_run()
    assert graft("resume", "--set", "search.budget.minutes=7", "--json").exit_code == 0
    assert ran[0].job().search.budget.minutes == 7
    refused = graft("resume", "--set", "training.epochs=3", "--json")
    assert refused.exit_code == 2
    assert "cannot change in an experiment that goes on" in refused.json["problems"][0]
    assert experiment.job().search.budget.minutes == 7


def test_what_validate_refuses_leaves_no_experiment_behind(graft, job_file, home, tmp_path):
    photos = tmp_path / "photos" / "one"
    photos.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(photos / "a.png")
    path = job_file(f"name: x\ndata: {{kind: image_folder, path: {photos.parent}}}\n")
    said = {graft(command, path).err.splitlines()[-1] for command in ("validate", "run")}
    assert len(said) == 1
    assert "has 1 class (one), but needs at least 2" in said.pop()
    assert not (home / "experiments").exists()


def test_a_name_that_no_experiment_can_have_is_told_before_the_data_are_looked_at(graft, job_file):
    path = job_file("name: x\ndata: {kind: image_folder, path: gone}\n")
    done = graft("run", path, "--experiment", "a b")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.startswith("graft: experiment is `a b`, but must be at most 100 letters")

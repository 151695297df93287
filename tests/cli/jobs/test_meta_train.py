"""`graft meta-train`, as a user and a script see it; the samples are made, and nothing is registered."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.fixtures.meta_pools import JOB, pool_of, samples_of

from graft.cli.jobs import meta_train
from graft.core.errors import TrialError
from graft.pipeline.episodes import run, samples

WriteJob = Callable[..., Path]


@pytest.fixture
def job(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> WriteJob:
    """Writes a job of 24 classes of 8 samples: `job(tasks={"ways": 20})`."""
    monkeypatch.setattr(samples, "pool_of", lambda *_: pool_of(samples_of()))
    for step in ("_registered", "_shipped"):
        monkeypatch.setattr(run, step, lambda *_: "")

    def write(**changes: Any) -> Path:
        path = tmp_path / "meta.yaml"
        path.write_text(yaml.safe_dump({**JOB, **changes}))
        return path

    return write


def test_json_is_one_object_with_the_keys_of_the_contract(graft, job):
    done = graft("meta-train", job(), "--json")
    assert done.exit_code == 0, done.err
    told = done.json
    assert told.keys() >= {"meta_model", "tasks", "accuracy", "beats_prototypes", "seconds"}
    assert Path(told["meta_model"], "manifest.json").is_file()
    assert (told["tasks"], told["role"]) == (2 * 3 * 2, "champion")
    assert isinstance(told["beats_prototypes"], bool)
    assert told["seconds"] > 0
    assert told["accuracy"].keys() == {"3w1s", "5w1s"}
    for one in told["accuracy"].values():
        assert one["episodes"] == 20
        assert 0 <= one["interval"][0] <= one["accuracy"] <= one["interval"][1] <= 1
        assert one["gain_interval"][0] <= one["gain"] <= one["gain_interval"][1]
        assert one["gain"] == pytest.approx(one["accuracy"] - one["prototypes"]["accuracy"])
    assert "epoch   1" in done.err


def test_people_see_the_accuracies_and_where_it_is(graft, job):
    done = graft("meta-train", job())
    assert done.out.startswith("3w1s     0.")
    assert "meta-learned on 12 classes: " in done.out
    assert "champion: it is the first of its name, or learned anew" in done.out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tasks": {**JOB["tasks"], "ways": 20}}, "but a task of 20 ways needs 20; "),
        ({"tasks": {**JOB["tasks"], "shots": [8]}}, "classes have the 11 samples"),
        ({"report": {"protocols": ["9w1s"]}}, "but a task of 9 ways needs 9; "),
        ({"report": {"protocols": ["9 ways"]}}, "report.protocols[0]: is `9 ways`, but must be like `5w1s`"),
        ({"kind": "ordinary"}, "kind: has no `kind: meta`; run it with `graft run"),
        ({"version": 2}, "version: is 2, but must be 1, the newest that this graft reads; upgrade graft"),
    ],
    ids=["classes", "samples", "report", "protocol", "kind", "version"],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(graft, job, home, changes, told):
    path = job(**changes)
    done = graft("meta-train", path)
    assert (done.exit_code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert told in line
    again = graft("meta-train", path, "--json")
    assert (again.exit_code, again.err, again.json["exit_code"]) == (2, "", 2)
    assert again.json["problems"] == [line.removeprefix("graft: ")]
    assert not (home / "meta").exists()


def test_one_that_is_interrupted_says_that_it_goes_on(graft, job, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = job()
    monkeypatch.setattr(run, "meta_train", interrupt)
    done = graft("meta-train", path)
    told = "graft: interrupted; finished epochs are kept, and the same command goes on\n"
    assert (done.exit_code, done.err) == (130, told)


def test_an_update_of_nothing_is_one_line(graft, job):
    done = graft("meta-train", job(), "--update")
    assert done.exit_code == 2
    assert "there is no meta-model `tiny`" in done.err
    assert len(done.err.splitlines()) == 1


def test_an_ordinary_job_is_told_apart(graft, tmp_path):
    (tmp_path / "job.yaml").write_text(json.dumps({"name": "x", "data": "digits"}))
    done = graft("meta-train", tmp_path / "job.yaml")
    assert done.exit_code == 2
    assert "kind: meta" in done.err


def interrupted_at(epoch: int) -> Callable[..., None]:
    """What a terminal does with the first Ctrl-C, at the end of an epoch."""

    def tell(stream: object, trial: str, number: int, metrics: object) -> None:
        if number == epoch:
            raise KeyboardInterrupt

    return tell


def test_status_knows_one_that_was_interrupted_and_one_that_has_gone_on(graft, job, home, monkeypatch):
    path = job(training={**JOB["training"], "epochs": 3})
    with monkeypatch.context() as patch:
        patch.setattr(meta_train, "_tell_epoch", interrupted_at(2))
        assert graft("meta-train", path).exit_code == 130
    (directory,) = (home / "meta" / "tiny" / "trainings").iterdir()
    name = f"tiny-{directory.name}"
    told = graft("status", "--json").json
    assert (told["experiment"], told["kind"], told["state"], told["stage"]) == (
        name,
        "meta-training",
        "interrupted",
        "search",
    )
    assert (told["best"]["metric"], told["trials"]["interrupted"], told["eta"]) == ("accuracy", 1, None)
    assert told["goes_on_by"] == "graft meta-train JOB, as it was called"
    assert graft("status", name).out.endswith(f"next:       {told['goes_on_by']}\n")
    assert [row["status"] for row in graft("experiments", "--json").json] == ["interrupted"]
    done = graft("resume", name)
    assert (done.exit_code, done.err) == (
        2,
        f"graft: experiment is `{name}`, a meta-training; it goes on by `{told['goes_on_by']}`\n",
    )
    assert graft("meta-train", path).exit_code == 0
    told = graft("status", "tiny", "--json").json
    assert (told["experiment"], told["state"], told["stage"], told["goes_on_by"]) == (
        name,
        "completed",
        "register",
        None,
    )
    assert (told["trials"]["completed"], told["trials"]["interrupted"]) == (1, 0)
    (row,) = graft("experiments", "--json").json
    assert (row["experiment"], row["status"], row["trials"]) == (name, "completed", 1)
    assert row["validation"] == told["best"]["score"]


def test_one_that_fails_leaves_its_end_and_why(graft, job, monkeypatch):
    def fail(*_: object) -> None:
        raise TrialError("the loss is no number")

    path = job()
    monkeypatch.setattr(run, "train", fail)
    assert graft("meta-train", path).exit_code == 1
    assert graft("status", "--json").json["state"] == "failed"
    shown = graft("journal", "show").out
    assert "the loss is no number" in shown


@pytest.mark.parametrize("command", [("leaderboard",), ("watch",), ("lineage",), ("journal", "show")])
def test_what_is_said_of_runs_is_said_of_meta_trainings(graft, job, command):
    assert graft("meta-train", job()).exit_code == 0
    done = graft(*command, "tiny")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out

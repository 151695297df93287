"""A run as lines of JSON."""

import io
import json
import logging

import pytest

from graft.cli.output.json_lines import event_line, json_display, log_line
from graft.journal import events
from graft.journal.events import TrialStatus


def test_an_event_is_one_object_with_its_experiment_and_trial() -> None:
    event = events.TrialFinished("t03", TrialStatus.STOPPED, "rung 1", 2, time=1_800_000_000.25)
    assert json.loads(event_line(event, "digits-1")) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "experiment": "digits-1",
        "trial": "t03",
        "event": "TrialFinished",
        "message": "t03 stopped after 2 epochs: rung 1",
    }


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (events.StageFailed("fit", 1.0, "no space"), "error"),
        (events.TrialFinished("t01", TrialStatus.FAILED), "error"),
        (events.ResourcesAwaited("for 1 GPU"), "warning"),
        (events.StageStarted("fit"), "info"),
    ],
)
def test_what_goes_wrong_has_its_level(event: events.Event, level: str) -> None:
    assert json.loads(event_line(event, "a"))["level"] == level


def test_line_breaks_and_escapes_stay_inside_of_a_line() -> None:
    line = log_line("a\nb\x1b[31m", "warning")
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["message"] == "a\nb\x1b[31m"


def test_logins_are_not_told() -> None:
    assert "geheim" not in log_line("no answer of postgresql://ada:geheim@db/mlflow")


def test_log_records_of_modules_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    stream, logger = io.StringIO(), logging.Logger("graft.alone")
    with json_display(stream, "a") as listen:
        logger.warning("the disk of %s is full", "s3://ada:geheim@bucket")
        listen(events.SystemSampled({"cpu": 1.0}))
        listen(events.StageStarted("fit"))
    logger.warning("plain again")
    said, plain = capsys.readouterr().err.splitlines()
    told = json.loads(said)
    assert (told["level"], told["logger"], told["experiment"]) == ("warning", "graft.alone", "a")
    assert "geheim" not in said
    assert plain == "plain again"
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["StageStarted"]

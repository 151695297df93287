import dataclasses
import json
import math

import numpy as np
import pytest

from graft.core.errors import ArtifactError
from graft.journal import events
from graft.journal.event_json import KINDS, from_json, to_json
from graft.journal.events import Event, TrialFinished, TrialReported, TrialStarted, TrialStatus
from graft.journal.explorations import (
    ExplorationStarted,
    ExplorationStopped,
    LabelGiven,
    LabelWithdrawn,
    SamplesProposed,
)

EXPLORATIONS = {"ExplorationStarted", "SamplesProposed", "LabelGiven", "LabelWithdrawn", "ExplorationStopped"}


def test_every_record_survives_the_round_trip(story: list[Event]) -> None:
    for event in story:
        timed = dataclasses.replace(event, time=12.5)
        assert from_json(to_json(timed)) == timed


def test_the_story_has_most_kinds(story: list[Event]) -> None:
    assert {type(event).__name__ for event in story} >= set(KINDS) - {
        "StageStarted",
        "StageFailed",
        "WriterOpened",
        "TimeLeftEstimated",
        "MetaModelMade",
        *EXPLORATIONS,
    }


def test_the_record_of_a_meta_model_survives_the_round_trip() -> None:
    tasks = ({"source": "glyphs", "dataset": "ab", "classes": ["alpha", "beta"]},)
    made = events.MetaModelMade("glyphs", "ab", "lite0", "cd", tasks, "champion", "it is the first of its name")
    assert from_json(to_json(made)) == made


def test_records_of_an_exploration_survive_the_round_trip() -> None:
    story: list[Event] = [
        ExplorationStarted("pool", "photos", 12, {"budget": 3}, ids="ab", contents="cd"),
        SamplesProposed(("a.png", "b.png"), "train", "proposed by margin"),
        LabelGiven("a.png", None, "train", "terminal me", "proposed by margin"),
        LabelWithdrawn("a.png", "train", "page me"),
        ExplorationStopped("reached", "shown", {"labels": 2}),
    ]
    assert {type(event).__name__ for event in story} == EXPLORATIONS
    assert [from_json(to_json(event)) for event in story] == story


def test_a_record_is_one_line_of_strict_json() -> None:
    line = to_json(TrialReported("t00", 1, {"loss": math.inf, "a\nb": math.nan, "c": -math.inf}, 1.0))
    assert "\n" not in line
    assert json.loads(line, parse_constant=pytest.fail)["metrics"]["loss"] == "Infinity"


def test_non_finite_metrics_come_back() -> None:
    event = from_json(to_json(TrialReported("t00", 1, {"a": math.inf, "b": math.nan, "c": -math.inf}, 1.0)))
    assert isinstance(event, TrialReported)
    assert event.metrics["a"] == math.inf
    assert math.isnan(event.metrics["b"])
    assert event.metrics["c"] == -math.inf


def test_numpy_scalars_become_numbers() -> None:
    event = from_json(to_json(TrialReported("t00", 1, {"a": np.float32(0.5), "b": np.int64(2)}, np.float64(1.0))))
    assert isinstance(event, TrialReported)
    assert event.metrics == {"a": 0.5, "b": 2.0}


def test_unknown_kinds_are_ignored() -> None:
    assert from_json('{"v": 1, "kind": "TrialPaused", "time": 1.0}') is None


def test_unknown_fields_are_ignored() -> None:
    record = json.loads(to_json(TrialStarted("t00", {}, "x"))) | {"mood": "good"}
    assert from_json(json.dumps(record)) == TrialStarted("t00", {}, "x")


def test_status_is_an_enum_again() -> None:
    event = from_json(to_json(TrialFinished("t00", TrialStatus.STOPPED, rung=2)))
    assert isinstance(event, TrialFinished)
    assert event.status is TrialStatus.STOPPED


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "not a JSON record"),
        ("[1]", "not a JSON record"),
        ('{"kind": "TrialStarted"}', "not a JSON record"),
        ('{"v": 2, "kind": "TrialStarted"}', "has version 2, but must have 1 at most; update graft"),
        ('{"v": 1, "kind": "TrialStarted", "trial": "t00"}', "wrong fields: label, strategy"),
    ],
)
def test_damaged_records_are_refused(line: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        from_json(line)


def test_no_password_gets_into_a_journal() -> None:
    told = "could not reach http://me:canary@host/?token=canary"
    started = events.ExperimentStarted("e", "e", {"tracking": {"uri": "postgresql://me:canary@db/x"}})
    ended = events.ExperimentFinished(events.ExperimentStatus.FAILED, 1.0, told)
    for event in (started, ended):
        assert "canary" not in to_json(event)
        assert "***" in to_json(event)

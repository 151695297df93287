import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.journals import StepClock

from graft.core.errors import TrackingError
from graft.journal.events import Event, ExperimentStarted, TrialFinished, TrialReported, TrialStarted, TrialStatus
from graft.journal.journal import Journal
from graft.tracking.mlflow.shipping import Patience, Shipper
from graft.tracking.mlflow.writer import Writer
from graft.tracking.projection.operations import Operation
from graft.tracking.relay_files import RelayFiles, RelayState
from graft.tracking.target import Target

Look = Callable[[], dict[str, dict[str, Any]]]
Tell = Callable[..., None]


class Crash(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Every write beyond `left` dies after the store has done it and before anybody knows."""
    budget = {"left": 10**9, "made": 0}
    write = Writer.write

    def fragile(self: Writer, operation: Operation) -> None:
        write(self, operation)
        budget["made"] += 1
        budget["left"] -= 1
        if budget["left"] <= 0:
            raise Crash

    monkeypatch.setattr(Writer, "write", fragile)
    return budget


class Naps:
    """Counts the pauses instead of taking them; at each it may do something."""

    def __init__(self, then: Callable[[int], bool] = lambda count: False) -> None:
        self.taken: list[float] = []
        self._then = then

    def __call__(self, seconds: float) -> bool:
        self.taken.append(seconds)
        assert len(self.taken) < 100, "it never ends"
        return self._then(len(self.taken))


def test_a_whole_experiment(experiment_dir: Path, target: Target, told: Tell, shown: Look) -> None:
    told()
    status = Shipper(experiment_dir, target).follow(Patience(Naps()))
    assert status.state is RelayState.DONE
    assert RelayFiles(experiment_dir).last_turn() > 0, "whoever looks sees that it goes on"
    runs = shown()
    assert [run["status"] for _, run in sorted(runs.items())] == [
        "FINISHED",
        "FINISHED",
        "FINISHED",
        "FAILED",
        "KILLED",
    ]
    trial = runs["t00 efficientnet_lite0 freeze=0.75 l2_sp"]
    assert trial["params"]["penalty.strength"] == "0.01"
    assert [step for step, _, _ in trial["metrics"]["val/accuracy"]] == [1, 2]
    assert runs["digits-1"]["files"] == [
        "data.json", "job.yaml", "leaderboard.csv", "leaderboard_table.json", "plan.json", "quarantine.json",
    ]  # fmt: skip
    assert RelayFiles(experiment_dir).read_status() == status


def test_it_gives_way_less_the_longer_its_records_have_waited(
    experiment_dir: Path, target: Target, told: Tell, clock: StepClock
) -> None:
    told(8)  # its driver is gone
    lags: list[float] = []
    Shipper(experiment_dir, target).follow(Patience(Naps(), clock=clock, give_way=lags.append))
    assert 0 < lags[0] < math.inf


def test_it_gives_way_to_nobody_while_somebody_waits_for_it(experiment_dir: Path, target: Target, told: Tell) -> None:
    told()  # to the end of the experiment, for which the driver waits
    lags: list[float] = []
    Shipper(experiment_dir, target).follow(Patience(Naps(), give_way=lags.append))
    assert lags == [math.inf]


def test_a_new_database_is_made_before_it_gives_way(experiment_dir: Path, target: Target, told: Tell) -> None:
    told()
    database = target.database()
    assert database is not None
    there: list[bool] = []
    give_way = lambda lag: there.append(database.exists())  # noqa: E731
    Shipper(experiment_dir, target).follow(Patience(Naps(), give_way=give_way))
    assert there
    assert all(there), "who holds the lock of a database that is being made must not starve"


def test_shipping_again_sends_nothing(
    experiment_dir: Path, target: Target, told: Tell, crashing: dict[str, int]
) -> None:
    told()
    Shipper(experiment_dir, target).ship()
    made = crashing["made"]
    Shipper(experiment_dir, target).ship()
    assert crashing["made"] == made > 20


def test_replay_from_the_start_changes_nothing(experiment_dir: Path, target: Target, told: Tell, shown: Look) -> None:
    told()
    Shipper(experiment_dir, target).ship()
    once = shown()
    shipper = Shipper(experiment_dir, target)
    shipper.restart()
    shipper.ship()
    assert shown() == once


@pytest.mark.parametrize("batch", [1, 7])
def test_killed_again_and_again_it_ends_the_same(
    experiment_dir: Path, target: Target, told: Tell, shown: Look, crashing: dict[str, int],
    monkeypatch: pytest.MonkeyPatch, batch: int,
) -> None:  # fmt: skip
    monkeypatch.setattr("graft.tracking.mlflow.shipping._BATCH", batch)
    told()
    kills = 0
    while True:
        crashing["left"] = 3 + kills % 19
        try:
            Shipper(experiment_dir, target).ship()
            break
        except Crash:
            kills += 1
            assert kills < 60, "it makes no progress"
    crashing["left"] = 10**9
    assert kills >= 3
    survived = shown()
    shipper = Shipper(experiment_dir, target)
    shipper.restart()
    shipper.ship()
    assert survived == shown()
    assert survived["digits-1"]["tags"]["graft.duplicates"] == "1"


def test_it_follows_a_journal_that_grows(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event], shown: Look
) -> None:
    for event in story[:5]:
        journal.append(event)
    waiting = iter(story[5:])

    def one_more(count: int) -> bool:
        journal.append(next(waiting))
        return False

    naps = Naps(one_more)
    assert Shipper(experiment_dir, target).follow(Patience(naps)).state is RelayState.DONE
    assert len(naps.taken) == len(story) - 5
    assert shown()["digits-1"]["status"] == "FINISHED"


def test_runs_of_a_killed_driver_do_not_run_for_ever(
    experiment_dir: Path, target: Target, told: Tell, shown: Look
) -> None:
    told(5)  # in the middle of the first trial
    assert Shipper(experiment_dir, target).follow(Patience(Naps())).state is RelayState.DONE
    assert {run["status"] for run in shown().values()} == {"KILLED"}
    assert "driver process ended" in shown()["digits-1"]["tags"]["graft.status"]


def test_runs_of_a_live_driver_are_left_alone_by_sync(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event], shown: Look
) -> None:
    for event in story[:5]:
        journal.append(event)
    assert Shipper(experiment_dir, target).ship().state is RelayState.DONE
    assert {run["status"] for run in shown().values()} == {"RUNNING"}


def test_a_resumed_experiment_goes_on_in_the_same_runs(
    experiment_dir: Path, target: Target, told: Tell, shown: Look, story: list[Event]
) -> None:
    told(5)
    Shipper(experiment_dir, target).ship()
    with Journal(experiment_dir / "journal.jsonl") as journal:
        journal.append(story[0])
        journal.append(story[4])
        Shipper(experiment_dir, target).ship()
        assert {run["status"] for run in shown().values()} == {"RUNNING"}
        for event in story[5:]:
            journal.append(event)
    Shipper(experiment_dir, target).ship()
    assert len(shown()) == 5
    assert shown()["digits-1"]["status"] == "FINISHED"


def test_a_trial_that_copied_and_goes_on_after_a_break_keeps_its_parameters(
    experiment_dir: Path, target: Target, told: Tell, shown: Look, story: list[Event]
) -> None:
    place = next(place for place, event in enumerate(story) if isinstance(event, TrialStarted))
    told(place + 1)
    begun = story[place]
    assert isinstance(begun, TrialStarted)
    # A parameter of a run cannot change in MLflow: a second value would be refused for ever.
    again = replace(begun, strategy={**begun.strategy, "lr": 0.5}, start=("t03", 0, 2), time=0.0)
    with Journal(experiment_dir / "journal.jsonl") as journal:
        journal.append(story[0])
        journal.append(again)
        status = Shipper(experiment_dir, target).ship()
        assert (status.state, status.refused) == (RelayState.DONE, 0)
        run = shown()[f"{begun.trial} {begun.label}"]
    assert (run["status"], run["tags"]["graft.parent"]) == ("RUNNING", "t03")
    assert run["params"]["lr"] != "0.5"


def test_a_store_that_is_down_is_waited_for(
    experiment_dir: Path, target: Target, told: Tell, shown: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    told()
    write, calls = Writer.write, iter(range(1000))

    def flaky(self: Writer, operation: Operation) -> None:
        if next(calls) % 3 == 0:
            raise ConnectionError("the server is away")
        write(self, operation)

    monkeypatch.setattr(Writer, "write", flaky)
    naps = Naps()
    status = Shipper(experiment_dir, target).follow(Patience(naps, linger=1e9))
    assert status.state is RelayState.DONE
    assert len(naps.taken) > 10
    assert naps.taken[:3] == sorted(naps.taken[:3])
    assert max(naps.taken) <= 30 * 1.3
    assert len(shown()) == 5


def test_it_gives_up_when_the_driver_has_ended_and_says_how_to_finish(
    experiment_dir: Path, told: Tell, target: Target, shown: Look
) -> None:
    told()
    away = Target("http://127.0.0.1:9", "digits")
    status = Shipper(experiment_dir, away).follow(Patience(Naps(), linger=0.0))
    assert status.state is RelayState.UNSYNCED
    assert "graft track sync digits-1" in status.message
    assert Shipper(experiment_dir, target).ship().state is RelayState.DONE
    assert len(shown()) == 5


def test_it_stops_when_asked(experiment_dir: Path, target: Target, journal: Journal, story: list[Event]) -> None:
    for event in story[:5]:
        journal.append(event)
    status = Shipper(experiment_dir, target).follow(Patience(Naps(lambda count: True)))
    assert status.state is RelayState.UNSYNCED


def test_what_the_store_refuses_is_kept_aside(
    experiment_dir: Path, target: Target, journal: Journal, shown: Look
) -> None:
    journal.append(ExperimentStarted("digits-1", str(experiment_dir), {"name": "digits"}))
    journal.append(TrialStarted("t00", {"lr?": 0.1, "lr_": 0.2}, "x"))  # two values of what MLflow calls lr_
    journal.append(TrialReported("t00", 1, {"accuracy": 0.5}, 1.0))
    journal.append(TrialFinished("t00", TrialStatus.COMPLETED))
    status = Shipper(experiment_dir, target).ship()
    assert (status.state, status.refused) == (RelayState.DONE, 1)
    assert "LogParams" in RelayFiles(experiment_dir).refused.read_text()
    assert shown()["t00 x"]["status"] == "FINISHED"


def test_a_target_that_can_never_work_is_not_retried(experiment_dir: Path, told: Tell) -> None:
    told()
    with pytest.raises(TrackingError, match="must be absolute"):
        Shipper(experiment_dir, Target("sqlite:///x.db", "digits")).follow(Patience(Naps()))


def test_a_journal_that_got_shorter_is_read_from_the_start(
    experiment_dir: Path, target: Target, told: Tell, shown: Look
) -> None:
    told()
    RelayFiles(experiment_dir).directory.mkdir()
    Shipper(experiment_dir, target)._cursor.move(10**9)
    Shipper(experiment_dir, target).ship()
    assert len(shown()) == 5

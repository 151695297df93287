"""What the search tells is in the journal, and comes back from it as it was told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.journal.journal import Journal, read
from graft.pipeline.recorder import Recorder, changed_node
from graft.search.protocol import Checkpoint, Duplicate, Exploit, Past, Proposal, Report, TrialEnd
from graft.spec.components.penalty import L2
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named
from graft.workers.nodes.judge import NodeNews, NodeState

AGAIN = "tried again elsewhere"
FIRST = Proposal("t01", Strategy(lr=0.1, penalty=L2(strength=0.5)), epochs=4, phase=1)
GOES_ON = Proposal("t02", Strategy(lr=0.2), Checkpoint("t00", 2, 3), epochs=6, phase=1)


def metrics(accuracy: float, seconds: float = 1.5) -> dict[str, float]:
    return {"val/accuracy": accuracy, "train/loss": 1.0, "train/lr": 0.1, "train/seconds": seconds}


@pytest.fixture
def progress() -> Progress:
    return Progress(metric_named("accuracy"), 4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def recorder(file: Path, progress: Progress, clock: Any) -> Recorder:
    journal = Journal(file, clock)
    journal.subscribe(progress.apply)
    return Recorder(journal, progress, 7, clock)


@pytest.fixture
def recorded(file: Path) -> Callable[[], list[Any]]:
    return lambda: [event for _, event in read(file)]


def test_a_proposal_survives_the_journal(recorder: Recorder, file: Path) -> None:
    recorder.on_started(FIRST)
    recorder.on_started(GOES_ON)
    history = SearchHistory(metric_named("accuracy"))
    for _, event in read(file):
        history.apply(event)
    assert history.past == [Past("t01", FIRST), Past("t02", GOES_ON)]


def test_the_whole_search_survives_the_journal(recorder: Recorder, file: Path) -> None:
    strategy = Strategy(lr=0.25)
    copied = Proposal("t01", strategy, Checkpoint("t02", 0, 4), segment=1, epochs=4, phase=1)
    exploit = Exploit(Checkpoint("t02", 0, 4), strategy, {"lr": (0.2, 0.25), "penalty.strength": (None, 0.1)}, "why")
    recorder.on_started(FIRST)
    recorder.on_started(GOES_ON)
    recorder.on_duplicate(Duplicate("t01", "k"))
    recorder.on_report("t01", 4, metrics(0.5))
    recorder.on_exploit(copied, exploit)
    recorder.on_finished("t02", TrialEnd(TrialStatus.STOPPED, "too bad", 4))
    history = SearchHistory(metric_named("accuracy"))
    for _, event in read(file):
        history.apply(event)
    assert history.past[2:] == [
        Past("t01", Report("t01", 4, 0.5)),
        Past("t01", copied),
        Past("t02", TrialEnd(TrialStatus.STOPPED, "too bad", 4)),
    ]
    ((after, told),) = history.exploits
    assert (after, told.source, told.strategy, told.reason) == (copied, exploit.source, strategy, "why")
    assert {key: tuple(pair) for key, pair in told.changes.items()} == exploit.changes
    assert history.duplicates == {0: 1}


def test_a_start_is_recorded_with_its_pointer_and_its_seed(recorder: Recorder, recorded: Any) -> None:
    recorder.on_started(FIRST)
    recorder.on_started(GOES_ON)
    first, second = recorded()
    assert (first.start, first.seed, first.phase, first.epochs) == (None, 7, 1, 4)
    assert (second.start, second.epochs) == (("t00", 2, 3), 6)
    assert first.label == FIRST.strategy.label(["lr"])


def test_seconds_of_an_epoch_are_its_own_field(recorder: Recorder, recorded: Any) -> None:
    recorder.on_started(FIRST)
    recorder.on_report("t01", 1, metrics(0.5, seconds=2.5))
    report = recorded()[-1]
    assert (report.epoch, report.seconds) == (1, 2.5)
    assert report.metrics == {"val/accuracy": 0.5, "train/loss": 1.0, "train/lr": 0.1}


def test_seconds_of_a_trial_are_from_its_start_to_its_end(recorder: Recorder, recorded: Any, clock: Any) -> None:
    clock.seconds = 100.0
    recorder.on_started(FIRST)
    clock.seconds = 130.0
    recorder.on_started(GOES_ON)
    recorder.on_report("t01", 1, metrics(0.5))
    recorder.on_report("t01", 2, metrics(0.4))
    clock.seconds = 160.0
    recorder.on_finished("t01", TrialEnd(TrialStatus.COMPLETED, "trained 2 epochs"))
    end = recorded()[-1]
    assert (end.seconds, end.epochs, end.reason, end.rung) == (60.0, 2, "trained 2 epochs", None)
    assert end.metrics == {"val/accuracy": 0.5}  # of the best epoch, and of the validation only


def test_a_trial_of_an_earlier_run_ends_without_seconds(
    recorder: Recorder, progress: Progress, recorded: Any, trials: Any
) -> None:
    progress.apply(trials.started("t01"))
    recorder.on_finished("t01", TrialEnd(TrialStatus.STOPPED, "decided before the break", 1))
    assert (recorded()[-1].seconds, recorded()[-1].rung) == (0.0, 1)


def test_places_are_told_when_they_are_new(recorder: Recorder, recorded: Any) -> None:
    recorder.on_started(FIRST)
    for nodes in (("a",), ("a",), ("a", "b"), ("b",), ("a", "b"), ("c",)):
        recorder.on_placed("t01", nodes)
    placed = [event.nodes for event in recorded() if isinstance(event, events.TrialPlaced)]
    assert placed == [("a",), ("a", "b"), ("c",)]


def test_an_exploit_names_the_donor_and_what_changed(recorder: Recorder, recorded: Any) -> None:
    strategy = Strategy(lr=0.25)
    recorder.on_started(FIRST)
    after = Proposal("t01", strategy, Checkpoint("t02", 3, 4), segment=2, epochs=4)
    recorder.on_exploit(after, Exploit(Checkpoint("t02", 3, 4), strategy, {"lr": (0.2, 0.25)}, "why"))
    told = recorded()[-1]
    assert (told.trial, told.segment, told.donor, told.donor_segment, told.epoch) == ("t01", 2, "t02", 3, 4)
    assert {key: tuple(pair) for key, pair in told.changes.items()} == {"lr": (0.2, 0.25)}
    assert Strategy.read_stored(told.strategy) == strategy


def test_what_a_crash_has_left_is_kept(recorder: Recorder, recorded: Any) -> None:
    recorder.on_started(FIRST)
    recorder.on_finished("t01", TrialEnd(TrialStatus.FAILED, "KeyError: 'a'", log="Traceback …"))
    assert recorded()[-1].log == "Traceback …"


def test_a_label_has_every_field_that_the_space_leaves_open(file: Path, progress: Progress, clock: Any) -> None:
    space = StrategySpace.parse(
        {"freeze": {"choice": [0.0, 0.5]}, "lr": {"loguniform": [1e-4, 1e-1]}, "batch_size": {"choice": [16, 32]},
         "penalty": {"choice": ["none", {"kind": "l2", "strength": {"uniform": [0.1, 1]}}]}}
    )  # fmt: skip
    journal = Journal(file, clock)
    journal.subscribe(progress.apply)
    recorder = Recorder(journal, progress, 7, clock, space.varied())
    for name, fields in [("t01", {"lr": 0.0123}), ("t02", {"lr": 0.1, "penalty": {"kind": "l2", "strength": 0.25}})]:
        recorder.on_started(Proposal(name, Strategy.model_validate(fields), epochs=4))
    assert [trial.label for trial in progress.trials.values()] == [
        "efficientnet_lite0 freeze=0 penalty=none lr=0.0123 batch_size=64",
        "efficientnet_lite0 freeze=0 l2 lr=0.1 penalty.strength=0.25 batch_size=64",
    ]


@pytest.mark.parametrize(
    ("state", "seconds", "trials", "told"),
    [
        (
            "silent",
            20.0,
            ("t1", "t2"),
            "has not answered for 20 s; its trials are tried again elsewhere unless it comes back",
        ),
        ("silent", 20.0, (), "has not answered for 20 s"),
        ("back", 31.2, (), "answers again, after 31 s"),
        ("back", 31.2, ("t1", "t2"), "answers again, after 31 s; its trials go on from what is on the disk"),
        ("gone", 40.0, ("t1",), f"is gone; its trials is {AGAIN}, from what is on the disk"),
        ("leaving", 12.0, ("t1", "t2"), "will be taken away in 12 s; its trials go on elsewhere"),
        ("leaving", 0.0, ("t1",), "will be taken away; its trials goes on elsewhere"),
    ],
)
def test_what_became_of_a_node_is_one_line(state: str, seconds: float, trials: tuple[str, ...], told: str) -> None:
    news = NodeNews("a", "10.77.0.12", "node2", NodeState(state), seconds)
    event = changed_node(news, trials, "its trials" if trials else "")
    assert event == events.NodeChanged("a", "10.77.0.12", state, trials, f"node 10.77.0.12 {told}")

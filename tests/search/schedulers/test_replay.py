"""One trial, trained stretch by stretch under what an earlier search has found."""

from collections.abc import Mapping
from typing import Any

import pytest

from graft.journal.events import TrialStatus
from graft.search.conductor import Conductor
from graft.search.protocol import Checkpoint, Duplicate, Exploit, GoOn, Hold, Past, Proposal, Report, TrialEnd
from graft.search.schedulers.replay import Replay
from graft.search.simulation import simulate
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.components.penalty import L2
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

FIRST, SECOND, THIRD = Strategy(lr=0.1), Strategy(lr=0.05), Strategy(lr=0.05, penalty=L2(strength=0.5))
SCHEDULE = Schedule((Stretch(0, 2, FIRST), Stretch(2, 3, SECOND), Stretch(3, 6, THIRD)))


class Heard:
    """What a journal would hold."""

    def __init__(self) -> None:
        self.past: list[Past] = []
        self.exploits: list[Exploit] = []

    def on_duplicate(self, duplicate: Duplicate) -> None:
        raise AssertionError("there is nothing to draw twice")

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        pass

    def on_started(self, proposal: Proposal) -> None:
        self.past.append(Past(proposal.trial, proposal))

    def on_note(self, trial: str, text: str) -> None:
        pass

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self.past.append(Past(trial, Report(trial, epoch, metrics["val/accuracy"])))

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None:
        self.exploits.append(exploit)
        self.past.append(Past(proposal.trial, proposal))

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        self.past.append(Past(trial, end))


class Trained:
    """Learning curves that remember what was trained when."""

    def __init__(self) -> None:
        self.epochs: list[tuple[int, Strategy, int]] = []

    def __call__(self, proposal: Proposal, epoch: int) -> dict[str, float]:
        self.epochs.append((epoch, proposal.strategy, proposal.segment))
        return {"val/accuracy": epoch / 10}


def replay(schedule: Schedule = SCHEDULE, past: list[Past] | None = None) -> tuple[Trained, Heard]:
    rule = Replay(schedule, has_begun=bool(past))
    heard, trained = Heard(), Trained()
    conductor = Conductor(rule, rule, heard, metric_named("accuracy"), slots=1)
    conductor.restore(past or [])
    simulate(conductor, trained)
    assert conductor.is_done
    return trained, heard


def test_each_stretch_is_trained_under_its_own_strategy() -> None:
    trained, heard = replay()
    assert trained.epochs == [
        (1, FIRST, 0),
        (2, FIRST, 0),
        (3, SECOND, 1),
        (4, THIRD, 2),
        (5, THIRD, 2),
        (6, THIRD, 2),
    ]
    ends = [record.what for record in heard.past if isinstance(record.what, TrialEnd)]
    assert [end.status for end in ends] == [TrialStatus.COMPLETED]


def test_each_goes_on_from_its_own_weights_and_says_what_changes() -> None:
    _, heard = replay()
    assert [exploit.source for exploit in heard.exploits] == [Checkpoint("t01", 0, 2), Checkpoint("t01", 1, 3)]
    assert heard.exploits[0].changes == {"lr": (0.1, 0.05)}
    assert heard.exploits[1].changes == {"penalty": ("none", "l2"), "penalty.strength": (None, 0.5)}
    assert heard.exploits[0].reason == "the schedule changes at epoch 2: lr 0.1 -> 0.05"


def test_a_checkpoint_is_left_wherever_the_strategy_changes() -> None:
    due = Replay(SCHEDULE).checkpoints
    assert [epoch for epoch in range(1, 7) if due.wants(epoch)] == [2, 3]


def test_it_has_one_trial_and_proposes_it_once() -> None:
    rule = Replay(SCHEDULE, phase=2)
    first = rule.propose(lambda duplicate: None)
    assert first == Proposal("t01", FIRST, epochs=6, phase=2)
    assert rule.propose(lambda duplicate: None) is None


def test_one_stretch_is_an_ordinary_trial() -> None:
    trained, heard = replay(Schedule((Stretch(0, 3, FIRST),)))
    assert trained.epochs == [(1, FIRST, 0), (2, FIRST, 0), (3, FIRST, 0)]
    assert heard.exploits == []


def test_a_report_between_two_changes_is_no_decision() -> None:
    rule = Replay(SCHEDULE)
    rule.add(Proposal("t01", FIRST, epochs=6))
    assert isinstance(rule.report(Report("t01", 1, 0.5)), GoOn)
    assert rule.settle(True) == {}
    assert isinstance(rule.report(Report("t01", 2, 0.5)), Hold)
    rule.remove("t01")
    assert rule.settle(True) == {}


WHOLE = replay()[1].past


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_replay_that_was_cut_off_anywhere_goes_on(cut: int) -> None:
    assert len(WHOLE) == 1 + 6 + 2 + 1
    before = WHOLE[:cut]
    trained, heard = replay(past=before)
    reported = {record.what.epoch for record in before if isinstance(record.what, Report)}
    # an epoch that was reported is neither trained under another strategy nor counted again
    told: list[Any] = [record.what for record in heard.past if isinstance(record.what, Report)]
    assert sorted([*reported, *(one.epoch for one in told)]) == [1, 2, 3, 4, 5, 6]
    under = {epoch: strategy for epoch, strategy, _ in trained.epochs}
    expected = {1: FIRST, 2: FIRST, 3: SECOND, 4: THIRD, 5: THIRD, 6: THIRD}
    assert under == {epoch: expected[epoch] for epoch in under}
    segments = [record.what.segment for record in [*before, *heard.past] if isinstance(record.what, Proposal)]
    assert sorted(set(segments)) == [0, 1, 2]
    assert sum(isinstance(record.what, TrialEnd) for record in heard.past) == 1

"""What runs, what waits, and what is started next: a search without processes."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from graft.journal.events import TrialStatus
from graft.search.conductor import MAX_CRASHES, MAX_LOST_NODES, Conductor
from graft.search.protocol import (
    Checkpoint,
    CheckpointEpochs,
    Decision,
    Duplicate,
    Exploit,
    GoOn,
    Hold,
    Later,
    Past,
    Proposal,
    Report,
    Retry,
    Stop,
    TrialEnd,
    Verdict,
)
from graft.search.schedulers.build import build_scheduler
from graft.search.simulation import simulate
from graft.spec.components.head import RidgeHead
from graft.spec.search.phases import Phase, phases_of
from graft.spec.search.search import SearchSpec
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

EPOCHS = 6
ACCURACY = metric_named("accuracy")


class Few:
    """Proposes so many trials, each with a higher learning rate than the one before."""

    def __init__(self, count: int, made: int = 0) -> None:
        self._count, self._made = count, made
        self.is_exhausted = False

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        if self._made >= self._count:
            return None
        self._made += 1
        return Proposal(f"t{self._made:02d}", Strategy(lr=self._made / 1000), epochs=EPOCHS)


class CopyTheBest:
    """All meet every other epoch; the worst copies the best and doubles its learning rate."""

    checkpoints = CheckpointEpochs(every=2)

    def __init__(self, size: int) -> None:
        self._size, self._live, self._held = size, dict[str, Proposal](), dict[str, Report]()

    def add(self, proposal: Proposal) -> None:
        self._live[proposal.trial] = proposal

    def report(self, report: Report) -> Verdict:
        if report.epoch % 2 or report.epoch == EPOCHS:
            return GoOn()
        self._held[report.trial] = report
        return Hold()

    def remove(self, trial: str) -> None:
        self._live.pop(trial, None)
        self._held.pop(trial, None)

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        is_whole = no_more or len(self._live) >= self._size
        if not self._held or not is_whole or self._held.keys() != self._live.keys():
            return {}
        ranked = sorted(self._held.values(), key=lambda report: (report.value, report.trial))
        self._held = {}
        decisions: dict[str, Decision] = {report.trial: GoOn() for report in ranked}
        if len(ranked) > 1:
            donor = self._live[ranked[-1].trial]
            strategy = donor.strategy.model_copy(update={"lr": donor.strategy.lr * 2})
            source = Checkpoint(donor.trial, donor.segment, ranked[-1].epoch)
            decisions[ranked[0].trial] = Exploit(source, strategy, {}, "copies")
        return decisions


class StopsAt(CopyTheBest):
    """Stops one trial at an epoch, and holds nobody."""

    def __init__(self, trial: str, epoch: int) -> None:
        super().__init__(99)
        self._doomed = (trial, epoch)

    def report(self, report: Report) -> Verdict:
        return Stop("too bad", report.epoch) if (report.trial, report.epoch) == self._doomed else GoOn()


class HoldsForEver(CopyTheBest):
    """A broken scheduler."""

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        return {}


class Heard:
    """An observer that remembers everything in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def on_duplicate(self, duplicate: Duplicate) -> None:
        self.told.append(("duplicate", duplicate.of))

    def on_started(self, proposal: Proposal) -> None:
        self.told.append(("started", proposal.trial))

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        pass

    def on_note(self, trial: str, text: str) -> None:
        pass

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self.told.append(("report", trial, epoch, metrics["val/accuracy"]))

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None:
        self.told.append(("exploit", proposal, exploit))

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        self.told.append(("finished", trial, end))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [one for one in self.told if one[0] == kind]

    def past(self) -> list[Past]:
        """What a journal would hold."""
        records = []
        for number, one in enumerate(self.told):
            match one:
                case ("started", trial):
                    records.append(Past(trial, Proposal(trial, Strategy(lr=int(trial[1:]) / 1000), epochs=EPOCHS)))
                case ("report", trial, epoch, value):
                    records.append(Past(trial, Report(trial, epoch, value)))
                case ("exploit", proposal, _):
                    records.append(Past(proposal.trial, proposal))
                case ("finished", trial, end):
                    records.append(Past(trial, end))
                case _:
                    raise AssertionError(f"record {number} is unknown")
        return records


def curve(proposal: Proposal, epoch: int) -> dict[str, float]:
    """Higher rates are better, and every epoch helps."""
    return {"val/accuracy": proposal.strategy.lr * epoch}


def conductor(scheduler: Any, count: int, slots: int, made: int = 0) -> tuple[Conductor, Heard]:
    heard = Heard()
    return Conductor(scheduler, Few(count, made), heard, ACCURACY, slots), heard


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 9])
def test_a_population_is_the_same_search_however_many_run_at_once(slots: int) -> None:
    told = conductor(CopyTheBest(4), 4, slots)
    simulate(told[0], curve)
    exploits = [(one[1].trial, one[2].source, one[2].strategy.lr) for one in told[1].of("exploit")]
    assert exploits == [
        ("t01", Checkpoint("t04", 0, 2), 0.008),
        ("t02", Checkpoint("t01", 1, 4), 0.016),
    ]
    assert sorted(one[1] for one in told[1].of("finished")) == ["t01", "t02", "t03", "t04"]
    assert told[0].is_done


def test_epochs_go_on_counting_after_a_copy_and_none_is_reported_twice() -> None:
    led, heard = conductor(CopyTheBest(3), 3, 3)
    simulate(led, curve)
    for trial in ("t01", "t02", "t03"):
        assert [one[2] for one in heard.of("report") if one[1] == trial] == [1, 2, 3, 4, 5, 6]


def test_no_more_run_than_there_are_slots() -> None:
    led, _ = conductor(CopyTheBest(5), 5, 2)
    assert [led.next() is not None for _ in range(3)] == [True, True, False]


def test_a_held_process_makes_room_only_for_one_that_waits() -> None:
    led, _ = conductor(CopyTheBest(2), 2, 2)
    first, second = led.next(), led.next()
    assert first is not None
    assert second is not None
    for trial in (first.trial, second.trial):
        led.reported(trial, 1, {"val/accuracy": 0.1})
    assert isinstance(led.reported(first.trial, 2, {"val/accuracy": 0.2}), Hold)
    assert led.to_suspend() is None
    led, _ = conductor(CopyTheBest(2), 2, 1)
    only = led.next()
    assert only
    led.reported(only.trial, 2, {"val/accuracy": 0.2})
    assert led.to_suspend() == only.trial
    other = led.next()
    assert other
    assert other.trial != only.trial


def test_a_held_process_makes_room_when_a_node_has_left() -> None:
    led, _ = conductor(CopyTheBest(2), 2, 2)
    led.next(), led.next()
    led.reported("t01", 2, {"val/accuracy": 0.2})
    assert led.to_suspend() is None
    assert led.to_suspend(is_starved=True) == "t01"
    assert led.to_suspend(is_starved=True) is None, "nobody else is held"
    led.reported("t02", 2, {"val/accuracy": 0.3})
    again = led.next()
    assert again is not None
    assert again.trial == "t01"


def test_a_stopped_trial_ends_once_with_its_reason() -> None:
    led, heard = conductor(StopsAt("t02", 3), 3, 2)
    simulate(led, curve)
    ends = {one[1]: one[2] for one in heard.of("finished")}
    assert len(heard.of("finished")) == 3
    assert ends["t02"] == TrialEnd(TrialStatus.STOPPED, "too bad", 3)
    assert ends["t01"].status is TrialStatus.COMPLETED


def test_a_trial_whose_process_died_goes_on_where_it_was_and_repeats_no_report() -> None:
    led, heard = conductor(StopsAt("t09", 9), 1, 1)
    proposal = led.next()
    assert proposal
    led.reported("t01", 1, {"val/accuracy": 0.5})
    led.crashed("t01", "killed")
    again = led.next()
    assert again
    assert (again.trial, again.segment, again.reported) == ("t01", 0, 1)
    assert isinstance(led.reported("t01", 1, {"val/accuracy": 0.5}), GoOn)
    led.reported("t01", 2, {"val/accuracy": 0.6})
    assert [one[2] for one in heard.of("report")] == [1, 2]
    assert len(heard.of("started")) == 1


def test_a_trial_that_dies_again_and_again_fails() -> None:
    led, heard = conductor(StopsAt("t09", 9), 1, 1)
    for _ in range(MAX_CRASHES + 1):
        assert led.next()
        led.crashed("t01", "killed")
    assert heard.of("finished")[0][2].status is TrialStatus.FAILED
    assert led.next() is None
    assert led.is_done


def test_a_trial_is_not_to_blame_for_the_nodes_that_are_taken_from_it() -> None:
    led, heard = conductor(StopsAt("t09", 9), 1, 1)
    for _ in range(MAX_LOST_NODES):
        assert led.next()
        led.crashed("t01", "its node has died", is_node_lost=True)
    assert led.next()
    led.crashed("t01", "killed")
    assert not heard.of("finished")
    assert led.next()
    led.crashed("t01", "its node has died", is_node_lost=True)
    (end,) = (one[2] for one in heard.of("finished"))
    assert (end.status, end.reason) == (TrialStatus.FAILED, f"its node has died; it died {MAX_LOST_NODES + 2} times")


def test_a_process_that_dies_while_it_is_held_loses_nothing() -> None:
    led, heard = conductor(CopyTheBest(2), 2, 2)
    led.next(), led.next()
    led.reported("t01", 2, {"val/accuracy": 0.1})
    led.crashed("t01", "killed")
    assert led.next() is None, "what becomes of it depends on t02"
    led.reported("t02", 2, {"val/accuracy": 0.2})
    again = led.next()
    assert again
    assert (again.trial, again.segment, again.start) == ("t01", 1, Checkpoint("t02", 0, 2))
    assert len(heard.of("exploit")) == 1


def test_a_scheduler_that_holds_all_for_ever_is_an_error_and_no_hang() -> None:
    led, _ = conductor(HoldsForEver(2), 2, 2)
    with pytest.raises(RuntimeError, match="HoldsForEver holds all trials"):
        simulate(led, curve)


@pytest.mark.parametrize("cut", range(1, 34))
def test_a_search_that_was_cut_off_anywhere_ends_like_one_that_was_not(cut: int) -> None:
    whole_led, whole = conductor(CopyTheBest(4), 4, 2)
    simulate(whole_led, curve)
    records = whole.past()
    assert len(records) == 34
    before = records[:cut]
    begun = len({record.trial for record in before if isinstance(record.what, Proposal)})
    led, heard = conductor(CopyTheBest(4), 4, 2, made=begun)
    led.restore(before)
    simulate(led, curve)
    ends = {record.trial for record in before if isinstance(record.what, TrialEnd)}
    assert {one[1] for one in heard.of("finished")} | ends == {"t01", "t02", "t03", "t04"}
    assert not {one[1] for one in heard.of("finished")} & ends, "a trial that had ended is not trained again"
    exploits = [record.what for record in before if isinstance(record.what, Proposal) and record.what.segment]
    exploits += [one[1] for one in heard.of("exploit")]
    assert exploits == [one[1] for one in whole.of("exploit")]
    reports = {(one.trial, one.what.epoch) for one in before if isinstance(one.what, Report)}
    assert not reports & {(one[1], one[2]) for one in heard.of("report")}, "an epoch is counted once"


@pytest.mark.parametrize("limit", [None, 6, 8], ids=lambda limit: f"limit {limit}")
@pytest.mark.parametrize("kind", ["asha", "hyperband", "one_epoch_top_k", "pbt"])
def test_every_scheduler_ends_the_same_after_a_cut_anywhere(kind: str, limit: int | None) -> None:
    def search(past: list[Past]) -> Heard:
        space = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})
        found = phases_of(SearchSpec.model_validate({"scheduler": kind}), EPOCHS)[0]
        phase = Phase(0, found.scheduler, found.searcher, limit, EPOCHS, False, kind == "pbt", False)
        heard = Heard()
        begun = len({record.trial for record in past})
        led = Conductor(build_scheduler(phase, ACCURACY, 0, space), Few(6, begun), heard, ACCURACY, slots=2)
        led.restore(past)
        simulate(led, crossing)
        return heard

    whole = search([])
    records = whole.past()
    for cut in range(1, len(records), 3):
        ends = {one.trial: one.what for one in records[:cut] if isinstance(one.what, TrialEnd)}
        ends |= {one[1]: one[2] for one in search(records[:cut]).of("finished")}
        assert ends == {one[1]: one[2] for one in whole.of("finished")}, f"cut after record {cut}"


def crossing(proposal: Proposal, epoch: int) -> dict[str, float]:
    """Curves that cross at random, the same in every run."""
    return {"val/accuracy": round(random.Random(f"{proposal.trial} {epoch}").random(), 2)}


def test_the_end_of_the_search_leaves_no_trial_open() -> None:
    led, heard = conductor(CopyTheBest(3), 3, 2)
    led.next(), led.next()
    led.reported("t01", 1, {"val/accuracy": 0.1})
    led.close()
    assert [(one[1], one[2].status) for one in heard.of("finished")] == [
        ("t01", TrialStatus.INTERRUPTED),
        ("t02", TrialStatus.INTERRUPTED),
    ]


def test_a_failed_trial_that_is_tried_again_trains_the_epochs_that_were_missing() -> None:
    led, heard = conductor(StopsAt("t99", 1), 2, 2)
    first = led.next()
    assert first is not None
    led.reported(first.trial, 1, curve(first, 1))
    led.ended(first.trial, TrialEnd(TrialStatus.FAILED, "out of memory"))
    simulate(led, curve)
    past = [*heard.past(), Past(first.trial, Retry())]
    again, told = conductor(StopsAt("t99", 1), 2, 2, made=2)
    again.restore(past)
    assert not again.history()[0].failed
    simulate(again, curve)
    assert [one[2] for one in told.of("report")] == [2, 3, 4, 5, 6]
    assert {one[1] for one in told.of("report")} == {first.trial}
    assert [one[2].status for one in told.of("finished")] == [TrialStatus.COMPLETED]


def test_a_head_that_is_solved_is_done_after_one_report_and_no_scheduler_hears_of_it() -> None:
    class Deaf:
        checkpoints = CheckpointEpochs()

        def add(self, proposal: Proposal) -> None:
            raise AssertionError(proposal)

        def report(self, report: Report) -> Verdict:
            raise AssertionError(report)

        def remove(self, trial: str) -> None:
            raise AssertionError(trial)

        def settle(self, no_more: bool) -> Mapping[str, Decision]:
            return {}

    class One(Few):
        def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
            found = super().propose(on_duplicate)
            return None if found is None else Proposal(found.trial, Strategy(head=RidgeHead(), freeze=1.0), epochs=1)

    led = Conductor(Deaf(), One(1), Heard(), ACCURACY, slots=1)
    assert led.next() is not None
    assert isinstance(led.reported("t01", 1, {"val/accuracy": 0.7}), GoOn)
    led.ended("t01", TrialEnd(TrialStatus.COMPLETED, ""))
    assert led.next() is None
    assert led.is_done
    assert led.history()[0].values == {1: 0.7}


class SecondLater(Few):
    """Proposes its second trial once the first has ended."""

    def __init__(self) -> None:
        super().__init__(2)
        self.has_ended = False

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Any:
        return super().propose(on_duplicate) if self.has_ended or not self._made else Later()


def test_what_is_proposed_later_begins_when_another_has_ended() -> None:
    proposer = SecondLater()
    led = Conductor(StopsAt("t09", 1), proposer, Heard(), ACCURACY, slots=2)
    assert led.next()
    assert led.next() is None
    assert not led.is_done
    proposer.has_ended = True
    led.ended("t01", TrialEnd(TrialStatus.COMPLETED, "done"))
    second = led.next()
    assert second is not None
    assert second.trial == "t02"


def test_nothing_is_later_where_all_that_run_are_held() -> None:
    led = Conductor(CopyTheBest(2), SecondLater(), Heard(), ACCURACY, slots=2)
    assert led.next()
    assert isinstance(led.reported("t01", 2, {"val/accuracy": 0.1}), Hold)
    assert led.next() is None
    assert led.is_complete

"""Who hangs is told by silence, or by standing still; by the clock of who looks."""

from dataclasses import replace

import pytest

from graft.core.heartbeat import Heartbeat
from graft.core.process_identity import Machine, ProcessIdentity
from graft.workers.hang_detector import Hang, HangDetector, HangLimits

LIMITS = HangLimits(silence=120.0, still=600.0, steps=50.0, look=5.0, absence=30.0)
AT_WORK = Heartbeat(ProcessIdentity(Machine("here", "boot"), 7, "1"), "t01", 1, 1, 0.5, is_working=True)


class Look:
    """A look every five seconds; what the processes do meanwhile is said by who looks."""

    def __init__(self) -> None:
        self.detector, self.now = HangDetector(LIMITS), 1000.0

    def for_seconds(self, seconds: float, *shown: Heartbeat, beats: bool = True, steps: bool = False) -> list[Hang]:
        found = []
        end = self.now + seconds
        while self.now < end:
            self.now += LIMITS.look
            count = int(self.now)
            moved = [
                replace(one, beats=count if beats else one.beats, steps=count if steps else one.steps) for one in shown
            ]
            found += self.detector.look({f"{number}.json": one for number, one in enumerate(moved)}, self.now)
        return found


def test_who_gets_on_does_not_hang() -> None:
    assert Look().for_seconds(3600, AT_WORK, steps=True) == []


def test_a_process_that_is_stopped_falls_silent() -> None:
    look = Look()
    assert look.for_seconds(120, AT_WORK, beats=False) == []
    (hang,) = look.for_seconds(5, AT_WORK, beats=False)
    assert hang.reason == "its process 7 on here has shown no sign of life for 120 s"
    assert (hang.name, hang.heartbeat.trial) == ("0.json", "t01")


def test_a_process_that_is_stuck_shows_itself_and_takes_no_step() -> None:
    look = Look()
    assert look.for_seconds(600, AT_WORK) == []
    (hang,) = look.for_seconds(5, AT_WORK)
    assert hang.reason == "its process 7 on here has taken no step for 600 s, and its longest before took 0.5 s"


def test_the_limit_grows_with_the_measured_step() -> None:
    look, slow = Look(), replace(AT_WORK, longest_step=60.0)
    assert look.for_seconds(2900, slow) == []
    assert len(look.for_seconds(200, slow)) == 1


def test_nobody_takes_steps_who_waits_for_the_search() -> None:
    assert Look().for_seconds(7200, replace(AT_WORK, is_working=False)) == []


def test_who_does_not_come_to_the_first_step_hangs() -> None:
    look, starting = Look(), replace(AT_WORK, is_working=False, is_starting=True)
    assert look.for_seconds(3600, starting) == []
    (hang,) = look.for_seconds(5, starting)
    assert hang.reason == "its process 7 on here has prepared its first step for 3600 s, and waits for nobody"


def test_the_first_step_has_all_its_time_however_long_it_was_prepared() -> None:
    look, starting = Look(), replace(AT_WORK, is_working=False, is_starting=True)
    look.for_seconds(3000, starting)
    assert look.for_seconds(600, AT_WORK) == []
    assert len(look.for_seconds(10, AT_WORK)) == 1


def test_who_waits_for_another_that_computes_its_features_does_not_hang() -> None:
    waiting = replace(AT_WORK, is_working=False, is_starting=True)
    assert Look().for_seconds(20_000, waiting, steps=True) == []


def test_work_that_waits_for_other_work_of_its_process_does_not_hang() -> None:
    look, waiting = Look(), replace(AT_WORK, trial="t02")
    for count in range(720):
        look.now += LIMITS.look
        shown = {"a.json": replace(AT_WORK, beats=count, steps=count), "b.json": replace(waiting, beats=count)}
        assert look.detector.look(shown, look.now) == []
    hangs = look.for_seconds(610, AT_WORK, waiting)
    assert [hang.heartbeat.trial for hang in hangs] == ["t01", "t02"]


def test_who_waited_has_all_its_time_afterwards() -> None:
    look = Look()
    look.for_seconds(3600, replace(AT_WORK, is_working=False))
    assert look.for_seconds(595, AT_WORK) == []
    assert len(look.for_seconds(5, AT_WORK)) == 1


def test_each_hang_is_told_once_while_the_others_go_on() -> None:
    other = replace(AT_WORK, trial="t02", process=replace(AT_WORK.process, pid=8))
    look = Look()
    found = []
    for _ in range(25):
        found += look.for_seconds(5, AT_WORK, beats=False)
    assert len(found) == 1
    assert look.for_seconds(600, other, steps=True) == []


@pytest.mark.parametrize("seconds", [90.0, 3600.0])
def test_who_was_stopped_itself_knows_nothing_of_the_others(seconds: float) -> None:
    look = Look()
    look.for_seconds(100, AT_WORK, beats=False)
    look.now += seconds  # SIGSTOP of the driver, or a machine that slept
    assert look.for_seconds(115, AT_WORK, beats=False) == []
    assert len(look.for_seconds(20, AT_WORK, beats=False)) == 1

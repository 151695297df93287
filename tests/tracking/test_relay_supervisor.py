"""A relay that dies is started again, a few times, and the user hears of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from graft.core.errors import TrackingError
from graft.journal.events import RelayEnded
from graft.tracking.relay_files import RelayState, RelayStatus
from graft.tracking.relay_supervisor import RelaySupervisor, RestartPolicy


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time


@dataclass
class FakeRelay:
    """A relay that does what a test says."""

    clock: Clock
    pid: int = 7
    has_ended: bool = False
    has_died: bool = False
    is_stopped: bool = False
    state: RelayState = RelayState.FOLLOWING
    done_at: float | None = None
    is_hung: bool = False

    @property
    def progress(self) -> float:
        return 0.0 if self.is_hung or self.is_stopped else self.clock.time

    def status(self) -> RelayStatus:
        return RelayStatus(self.state, "the relay was killed by signal 9" if self.has_died else "told")

    def stop(self, timeout: float) -> None:
        self.die()

    def drain(self, timeout: float) -> bool:
        if not self.has_ended:
            self.clock.time += timeout
        if self.done_at is not None and self.clock.time >= self.done_at and not self.has_died:
            self.has_ended, self.state = True, RelayState.DONE
        return self.has_ended and self.state is RelayState.DONE

    def die(self) -> None:
        self.has_ended = self.has_died = True

    def end(self, state: RelayState) -> None:
        self.has_ended, self.state = True, state


class World:
    """A supervisor, its relays, and what it tells."""

    def __init__(self, problems: Iterable[Exception | None] = ()) -> None:
        self.clock, self.relays, self.told, self.waits = Clock(), list[FakeRelay](), list[RelayEnded](), list[str]()
        self._problems = iter(problems)
        self.make: Callable[[], FakeRelay] = lambda: FakeRelay(self.clock)
        policy = RestartPolicy(most=3, first_pause=1.0, healthy=600.0, look=1.0, patience=30, hung=300)
        self.supervisor = RelaySupervisor(self._start, self.told.append, policy, self.clock, self._sleep)

    def look(self, seconds: float = 0.0) -> None:
        self.clock.time += seconds
        self.supervisor.look()

    def drain(self, timeout: float = 60.0) -> bool:
        return self.supervisor.drain(timeout, self.waits.append)

    def _start(self) -> FakeRelay:
        problem = next(self._problems, None)
        if problem is not None:
            raise problem
        self.relays.append(self.make())
        return self.relays[-1]

    def _sleep(self, seconds: float) -> None:
        self.clock.time += seconds


def test_a_relay_that_lives_is_left_alone() -> None:
    world = World()
    for _ in range(5):
        world.look(1.0)
    assert (len(world.relays), world.told) == (1, [])


def test_one_that_dies_is_started_again_after_a_pause_and_reported_at_once() -> None:
    world = World()
    world.relays[0].die()
    world.look()
    assert world.told == [RelayEnded("the relay was killed by signal 9", 0, is_restarted=True)]
    world.look(0.5)
    assert len(world.relays) == 1
    world.look(0.5)
    assert len(world.relays) == 2


def test_the_pauses_grow_and_end() -> None:
    world = World()
    starts = []
    for pause in (1.0, 2.0, 4.0):
        world.relays[-1].die()
        world.look()
        world.look(pause - 0.01)
        starts.append(len(world.relays))
        world.look(0.01)
    assert starts == [1, 2, 3]
    world.relays[-1].die()
    world.look()
    world.look(1000.0)
    assert len(world.relays) == 4
    assert [told.is_restarted for told in world.told] == [True, True, True, False]
    assert [told.restarts for told in world.told] == [0, 1, 2, 3]


def test_one_that_has_lived_long_counts_as_well_again() -> None:
    world = World()
    for _ in range(8):
        world.look(600.0)
        world.relays[-1].die()
        world.look()
        world.look(1.0)
    assert len(world.relays) == 9
    assert all(told.is_restarted for told in world.told)


def test_one_that_somebody_has_stopped_is_missing_too() -> None:
    world = World()
    world.relays[0].end(RelayState.UNSYNCED)
    world.look()
    world.look(1.0)
    assert len(world.relays) == 2


def test_one_that_does_nothing_since_somebody_stopped_it_is_started_again() -> None:
    world = World()
    world.relays[0].is_stopped = True
    for _ in range(29):
        world.look(1.0)
    assert world.told == []
    world.look(1.0)
    assert world.told == [RelayEnded("the relay (process 7) was stopped for 30 s, and was ended", 0, True)]
    assert world.relays[0].has_ended
    world.look(1.0)
    assert len(world.relays) == 2


def test_one_that_hangs_is_ended_and_started_again() -> None:
    world = World()
    world.relays[0].is_hung = True
    for _ in range(300):
        world.look(1.0)
    assert world.told == []
    world.look(1.0)
    assert world.told == [RelayEnded("the relay (process 7) has done nothing for 300 s, and was ended", 0, True)]
    assert world.relays[0].has_ended
    world.look(1.0)
    assert len(world.relays) == 2
    for _ in range(600):
        world.look(1.0)
    assert len(world.relays) == 2, "the new one works"


def test_one_that_waits_long_for_an_answer_and_gets_it_is_left_alone() -> None:
    world = World()
    for look in range(900):
        world.relays[0].is_hung = look % 299 != 0
        world.look(1.0)
    assert (len(world.relays), world.told) == (1, [])


def test_one_that_goes_on_again_is_left_alone() -> None:
    world = World()
    for look in range(90):
        world.relays[0].is_stopped = look % 30 != 29
        world.look(1.0)
    assert (len(world.relays), world.told) == (1, [])


def test_one_that_is_stopped_at_the_end_does_not_keep_the_run_waiting() -> None:
    world = World()
    world.make = lambda: FakeRelay(world.clock, done_at=40.0)
    world.relays[0].is_stopped = True
    assert world.drain()
    assert (len(world.relays), world.clock.time) == (2, 40.0)


def test_one_that_can_never_go_on_is_reported_once_and_not_restarted() -> None:
    world = World()
    world.relays[0].end(RelayState.FAILED)
    world.look()
    world.look(100.0)
    assert (len(world.relays), world.told) == (1, [RelayEnded("told", 0, is_restarted=False)])


@pytest.mark.parametrize("problem", [TrackingError("no"), OSError(11, "Resource temporarily unavailable")])
def test_a_start_that_fails_is_tried_again(problem: Exception) -> None:
    world = World([None, problem, None])
    world.relays[0].die()
    world.look()
    world.look(1.0)
    assert "cannot be started" in world.told[-1].reason
    world.look(2.0)
    assert len(world.relays) == 2


def test_draining_waits_for_the_relay_and_says_so() -> None:
    world = World()
    world.relays[0].done_at = 8.0
    assert world.drain()
    assert world.waits == ["for the relay (process 7) to bring the last records to MLflow"]


def test_draining_says_that_the_relay_has_not_even_started() -> None:
    world = World()
    world.relays[0].done_at = 8.0
    world.relays[0].state = RelayState.STARTING
    assert world.drain()
    assert world.waits == [
        "for the relay (process 7) to start, which takes some seconds, and to bring the last records to MLflow"
    ]


def test_a_short_drain_is_silent() -> None:
    world = World()
    world.relays[0].done_at = 2.0
    assert world.drain()
    assert world.waits == []


def test_draining_ends_in_time() -> None:
    world = World()
    assert not world.drain(timeout=60.0)
    assert world.clock.time == 60.0


def test_a_relay_that_dies_at_the_end_is_started_again_too() -> None:
    world = World()
    world.make = lambda: FakeRelay(world.clock, done_at=4.0)
    world.relays[0].die()
    assert world.drain()
    assert len(world.relays) == 2


def test_a_relay_that_gives_up_at_the_end_is_left_alone() -> None:
    world = World()
    world.relays[0].end(RelayState.UNSYNCED)
    assert not world.drain()
    assert (len(world.relays), world.clock.time) == (1, 0.0)


def test_the_thread_ends_with_the_run() -> None:
    world = World()
    world.supervisor.watch()
    world.supervisor.close()
    world.supervisor.close()
    assert len(world.relays) == 1

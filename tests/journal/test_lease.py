import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from graft.core.errors import ResourceError
from graft.journal.lease import Lease, Terms, looks_alive, take_lease
from graft.journal.lease_files import Holder, Machine, find_holder

HERE, THERE = Machine("here", "boot-1"), Machine("there", "boot-2")


@dataclass
class FakeClock:
    """Stands still unless someone waits; wall time and elapsed time may go apart."""

    wall: float = 1_000_000.0
    passed: float = 0.0
    meanwhile: Callable[[], None] = field(default=lambda: None)

    def now(self) -> float:
        return self.wall

    def elapsed(self) -> float:
        return self.passed

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds
        self.meanwhile()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def taken(journal: Path, clock: FakeClock) -> Iterator[Callable[..., Lease]]:
    """Takes the lease as a machine; the thread of the heartbeat does not come to beat."""
    held: list[Lease] = []

    def take(machine: Machine, *, is_locked: bool = True, above: int = 0) -> Lease:
        terms = Terms(machine, period=3.0, expiry=15.0, clock=clock, wait=clock.wait)
        idle = replace(terms, period=1e9)
        lease = take_lease(journal, idle if not held else terms, is_locked=is_locked, above=above)
        held.append(lease)
        return lease

    yield take
    for lease in held:
        lease.release()


def beat(lease: Lease) -> None:
    """What the thread does every few seconds."""
    lease._show()


def test_tokens_grow(taken, journal):
    tokens = []
    for _ in range(3):
        lease = taken(HERE)
        tokens.append(lease.token)
        lease.release()
    assert tokens == [1, 2, 3]
    assert [path.name for path in journal.parent.iterdir()] == ["journal.jsonl.lease.3"]


def test_a_token_is_above_those_that_the_journal_knows(taken):
    assert taken(HERE, above=7).token == 8


def test_the_holder_is_told(taken, journal, clock):
    taken(THERE)
    holder = find_holder(journal)
    assert holder is not None
    assert (holder.token, holder.machine, holder.since, holder.is_released) == (1, THERE, clock.wall, False)
    assert holder.told.endswith("on there")


def test_nobody_holds_what_was_never_taken(journal):
    assert find_holder(journal) is None


def test_a_released_lease_is_free_at_once_for_other_machines(taken, journal, clock):
    taken(THERE).release()
    assert taken(HERE).token == 2
    assert clock.passed == 0


def test_a_lease_whose_heart_beats_is_refused_and_its_holder_named(taken, clock):
    lease = taken(THERE)
    clock.meanwhile = lambda: beat(lease)
    with pytest.raises(ResourceError, match=r"another process: pid \d+ on there \(writer 1\).*wait for it, or stop it"):
        taken(HERE)
    assert clock.passed < 3, "one heartbeat is enough to know"
    assert lease.is_held


def test_a_lease_without_a_heartbeat_is_taken_over_when_it_expires(taken, clock):
    lease = taken(THERE)
    assert taken(HERE).token == 2
    assert clock.passed >= 15
    assert not lease.is_held


def test_the_writer_that_lost_its_lease_is_told_by_whom(taken):
    lease = taken(THERE)
    taken(HERE)
    with pytest.raises(ResourceError, match=r"taken over by pid \d+ on here, while this process \(writer 1\)"):
        lease.require()


def test_a_woken_heart_does_not_bring_a_lost_lease_back(taken, journal):
    lost = taken(THERE)
    taken(HERE)
    beat(lost)
    lost.release()
    holder = find_holder(journal)
    assert holder is not None
    assert (holder.token, holder.is_released) == (2, False)


@pytest.mark.parametrize("shift", [-1e9, -3600.0, 3600.0, 1e9])
def test_clocks_that_disagree_change_nothing(taken, clock, shift):
    lease = taken(THERE)
    clock.wall += shift
    clock.meanwhile = lambda: beat(lease)
    with pytest.raises(ResourceError, match="another process"):
        taken(HERE)
    clock.meanwhile = lambda: None
    assert taken(HERE).token == 2


def test_a_clock_that_is_set_back_while_it_is_watched_changes_nothing(taken, clock):
    taken(THERE)
    clock.meanwhile = lambda: setattr(clock, "wall", clock.wall - 1000)
    assert taken(HERE).token == 2
    assert clock.passed < 30


def test_the_lock_speaks_for_a_holder_on_the_same_machine(taken, clock):
    """It has been killed: its lock is free."""
    taken(HERE)
    assert taken(HERE, is_locked=True).token == 2
    assert clock.passed == 0


def test_without_locks_the_heartbeat_counts_on_the_same_machine_too(taken, clock):
    lease = taken(HERE)
    clock.meanwhile = lambda: beat(lease)
    with pytest.raises(ResourceError, match="another process"):
        taken(HERE, is_locked=False)


def test_equal_names_do_not_make_one_machine(taken, clock):
    lease = taken(Machine("worker", "boot-1"))
    clock.meanwhile = lambda: beat(lease)
    with pytest.raises(ResourceError, match="another process"):
        taken(Machine("worker", "boot-2"))


def test_a_lease_released_while_it_is_watched_is_free(taken, clock):
    lease = taken(THERE)
    clock.meanwhile = lease.release
    assert taken(HERE).token == 2
    assert clock.passed < 3


def test_of_two_that_take_over_one_wins(taken, journal, clock):
    taken(THERE)

    def another() -> None:
        if clock.passed > 14:
            journal.with_name("journal.jsonl.lease.2").touch()

    clock.meanwhile = another
    with pytest.raises(ResourceError, match="has just opened it"):
        taken(HERE)


def test_a_damaged_lease_expires(journal, clock, taken):
    journal.with_name("journal.jsonl.lease.4").write_text("{nonsense")
    assert taken(HERE).token == 5
    assert clock.passed >= 15


def test_other_files_are_no_leases(journal, taken):
    journal.with_name("journal.jsonl.lease.old").touch()
    journal.with_name("journal.jsonl.lease.9.bak").touch()
    assert taken(HERE).token == 1


def test_a_heartbeat_counts_in_place_and_shows_the_time(taken, journal, clock):
    lease = taken(HERE)
    file = journal.with_name("journal.jsonl.lease.1")
    size = file.stat().st_size
    clock.wall += 60
    beat(lease)
    stored = json.loads(file.read_text())
    assert (stored["beats"], stored["heartbeat"], file.stat().st_size) == (2, clock.wall, size)


def test_the_heart_beats_by_itself(journal):
    class Counting(FakeClock):
        beaten = threading.Event()
        looks = 0

        def now(self) -> float:
            self.looks += 1
            if self.looks >= 4:
                self.beaten.set()
            return self.wall

    counting = Counting()
    lease = take_lease(journal, Terms(HERE, period=0.001, clock=counting), is_locked=True, above=0)
    assert counting.beaten.wait(30)
    lease.release()


def test_a_disk_that_is_full_leaves_no_lease(journal, monkeypatch):
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graft.journal.lease.os.pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        take_lease(journal, Terms(HERE), is_locked=True, above=0)
    assert list(journal.parent.iterdir()) == []


def test_a_holder_looks_alive_for_a_while(taken, journal, clock):
    lease = taken(THERE)
    terms = Terms(HERE, expiry=15.0, clock=clock, wait=clock.wait)

    def alive() -> bool:
        return looks_alive(lambda: find_holder(journal), terms)

    assert alive()
    clock.wall += 40
    assert not alive()
    clock.wall -= 80
    assert not alive(), "a lease from the future is not eternal"
    lease.release()
    assert not alive()


@pytest.mark.parametrize("apart", [300.0, -300.0])
def test_a_holder_whose_clock_is_minutes_apart_looks_alive_while_it_goes_on(apart: float, clock: FakeClock) -> None:
    holder = Holder(1, THERE, 4711, clock.wall + apart, clock.wall + apart, is_released=False)
    terms = Terms(HERE, clock=clock, wait=clock.wait)
    beating = iter([holder, replace(holder, heartbeat=holder.heartbeat + terms.period)])
    assert looks_alive(lambda: next(beating), terms)
    assert clock.passed == 1.5 * terms.period, "long enough for a heartbeat"
    assert not looks_alive(lambda: holder, terms), "it stands still"
    ended = iter([holder, None])
    assert not looks_alive(lambda: next(ended), terms)


def test_a_heartbeat_of_yesterday_is_not_waited_for(clock: FakeClock) -> None:
    yesterday = clock.wall - 86_400
    holder = Holder(1, THERE, 4711, yesterday, yesterday, is_released=False)
    assert not looks_alive(lambda: holder, Terms(HERE, clock=clock, wait=clock.wait))
    assert clock.passed == 0

"""Threads meet before an epoch; who comes alone is not kept waiting for ever."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from graft.data.batch import Batch
from graft.training import rendezvous as module
from graft.training.rendezvous import Rendezvous

FOR_EVER = 600.0
BATCHES = [(Batch(), None, 0)]


class Meetings:
    """Stands for the training: what is trained together is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.together: list[list[str]] = []
        self.alone: list[str] = []
        self.error: Exception | None = None
        monkeypatch.setattr(module, "kinship", lambda session, first: session.kin)
        monkeypatch.setattr(module, "train_epoch_together", self._together)
        monkeypatch.setattr(module, "train_epoch", lambda session, batches: self.alone.append(session.name))

    def _together(self, sessions: list[Any], batches: list[Any]) -> list[None]:
        self.together.append(sorted(session.name for session in sessions))
        if self.error:
            raise self.error
        return [None] * len(sessions)


@pytest.fixture
def meetings(monkeypatch: pytest.MonkeyPatch) -> Meetings:
    return Meetings(monkeypatch)


def run(*bodies: Callable[[], None]) -> list[BaseException]:
    errors: list[BaseException] = []

    def guarded(body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def session(name: str, kin: str | None = "head") -> Any:
    return SimpleNamespace(name=name, kin=kin)


def test_everybody_who_takes_part_trains_together(meetings: Meetings) -> None:
    place, all_in = Rendezvous(FOR_EVER), threading.Barrier(3)

    def train(name: str) -> None:
        with place.taking_part():
            with place.away():
                all_in.wait()
            for _ in range(4):
                place.train_epoch(session(name), BATCHES)

    assert run(*(lambda name=name: train(name) for name in "abc")) == []
    assert meetings.together == [["a", "b", "c"]] * 4


def test_one_who_leaves_is_not_waited_for(meetings: Meetings) -> None:
    place, all_in = Rendezvous(FOR_EVER), threading.Barrier(2)

    def train(name: str, epochs: int) -> None:
        with place.taking_part():
            with place.away():
                all_in.wait()
            for _ in range(epochs):
                place.train_epoch(session(name), BATCHES)

    assert run(lambda: train("a", 1), lambda: train("b", 3)) == []
    assert meetings.together == [["a", "b"], ["b"], ["b"]]


def test_one_who_is_away_for_long_is_not_waited_for(meetings: Meetings) -> None:
    place, trained = Rendezvous(patience_s=0.01), threading.Event()

    def stay_away() -> None:
        with place.taking_part(), place.away():
            trained.wait()

    def train() -> None:
        with place.taking_part():
            place.train_epoch(session("a"), BATCHES)
        trained.set()

    assert run(stay_away, train) == []
    assert meetings.together == [["a"]]


def test_only_heads_that_are_alike_are_trained_together(meetings: Meetings) -> None:
    place, all_in = Rendezvous(patience_s=0.05), threading.Barrier(4)

    def train(name: str, kin: str) -> None:
        with place.taking_part():
            with place.away():
                all_in.wait()
            place.train_epoch(session(name, kin), BATCHES)

    assert run(*(lambda name=name: train(name, name[0]) for name in ("a1", "a2", "b1", "b2"))) == []
    assert sorted(meetings.together) == [["a1", "a2"], ["b1", "b2"]]


def test_what_has_no_kin_is_trained_at_once(meetings: Meetings) -> None:
    place = Rendezvous(FOR_EVER)
    with place.taking_part():
        place.train_epoch(session("a", kin=None), BATCHES)
    assert (meetings.alone, meetings.together) == (["a"], [])


def test_an_error_reaches_all(meetings: Meetings) -> None:
    place, all_in = Rendezvous(FOR_EVER), threading.Barrier(2)
    meetings.error = RuntimeError("out of memory")

    def train(name: str) -> None:
        with place.taking_part():
            with place.away():
                all_in.wait()
            place.train_epoch(session(name), BATCHES)

    assert [str(error) for error in run(lambda: train("a"), lambda: train("b"))] == ["out of memory"] * 2


def test_one_computes_at_a_time(meetings: Meetings) -> None:
    place, inside, most = Rendezvous(FOR_EVER), [], []

    def compute(name: str) -> None:
        with place.taking_part():
            for _ in range(200):
                inside.append(name)
                most.append(len(inside))
                inside.remove(name)
                with place.away():
                    pass

    assert run(*(lambda name=name: compute(name) for name in "abcd")) == []
    assert max(most) == 1

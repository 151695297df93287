"""A question is answered once, by whichever window is first, and whoever answers hears of it when it is kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.pipeline.exploration.page.standings import standing

from graft.modalities.protocol import Exhibit
from graft.pipeline.exploration.page.desk import Desk
from graft.pipeline.exploration.sources import Answer, Question, TakeBack


def look(sample: str) -> Exhibit:
    return Exhibit(f"text of {sample}")


@contextmanager
def asking(desk: Desk, *samples: str) -> Iterator[list[Any]]:
    """Ask in a thread, as the loop does; what was answered."""
    replies: list[Any] = []

    def ask() -> None:
        for sample in samples:
            replies.append(desk.ask(Question(sample, "why not")))
        desk.close("that was all")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    desk.scene(0, 10)
    yield replies
    thread.join(10)
    assert not thread.is_alive()


def test_an_answer_is_taken_once() -> None:
    desk = Desk("me", look, ("cat",))
    with asking(desk, "a", "b") as replies:
        assert not desk.answer(2, Answer("cat")), "nobody has asked yet"
        assert desk.answer(1, Answer("cat"))
        assert not desk.answer(1, Answer("dog")), "another window was first"
        assert replies == [Answer("cat")], "whoever answered is told when the loop has it"
        assert desk.answer(2, Answer(None))
    assert replies == [Answer("cat"), Answer(None)]
    assert desk.scene().end == "that was all"
    assert not desk.answer(2, Answer("cat"))


def test_only_the_sample_that_is_asked_about_is_shown() -> None:
    desk = Desk("me", look)
    assert desk.exhibit(0) is None
    with asking(desk, "a", "b"):
        assert desk.exhibit(1) == Exhibit("text of a")
        assert desk.exhibit(2) is None
        desk.answer(1, Answer("cat"))
        assert desk.exhibit(1) is None
        desk.answer(2, None)
    assert desk.exhibit(2) is None


def test_classes_keep_their_places_and_slips_are_forgotten() -> None:
    desk = Desk("me", look, ("cat",))
    with asking(desk, "a", "b", "c", "d"):
        desk.answer(1, Answer("yak"))
        desk.answer(2, Answer("ape"))
        assert desk.scene().names == ("cat", "yak", "ape")
        assert desk.scene().given == 2
        desk.answer(3, TakeBack())
        assert desk.scene().given == 1
        desk.know(standing(named=("yak",), labels=1))
        assert (desk.scene().names, desk.scene().given) == (("cat", "yak"), 0)
        desk.answer(4, Answer(None))
    assert desk.scene().given == 1


def test_who_looks_on_waits_for_something_new() -> None:
    desk = Desk("me", look)
    before = desk.scene()
    assert desk.scene(before.version, 0.0) == before
    threading.Timer(0.05, desk.close, ("over",)).start()
    assert desk.scene(before.version, 10).end == "over"


def test_control_c_stops_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("me", look)

    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(desk._changed, "wait_for", interrupted)
    assert desk.ask(Question("a", "why")) is None

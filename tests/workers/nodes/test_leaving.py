"""What Ray says of nodes that leave is given."""

import threading

import pytest

from graft.workers.nodes import leaving
from graft.workers.nodes.leaving import LeavingNotice, leaving_notice

HANGS_S = 30


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    found: dict[str, float] = {}
    monkeypatch.setattr(leaving, "leaving_nodes", lambda: dict(found))
    monkeypatch.setattr(leaving, "ASK_S", 0.01)
    return found


def test_it_is_given_when_one_of_the_nodes_is_to_leave(said: dict[str, float]) -> None:
    notice = LeavingNotice(("a", "b"))
    said["c"] = 10.0
    notice.look()
    assert not notice.is_given()
    said["b"] = 30.0
    notice.look()
    assert notice.is_given()
    assert (
        str(notice.as_error("epoch 2")) == "its node will be taken away; epoch 2 is on the disk, and goes on elsewhere"
    )


def test_without_ray_it_never_comes(said: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(leaving.threading, "Thread", pytest.fail)
    with leaving_notice(("a",)) as notice:
        assert not notice.is_given()


def test_somebody_asks_until_it_is_given(said: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving.ray, "is_initialized", lambda: True)
    with leaving_notice(("a",)) as notice:
        said["a"] = 5.0
        (asker,) = [one for one in threading.enumerate() if one.name == "graft-leaving"] or [threading.Thread()]
        if asker.is_alive():
            asker.join(HANGS_S)
        assert notice.is_given()

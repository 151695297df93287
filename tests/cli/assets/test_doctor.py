"""`graft doctor --install`: a line a check, and an exit code that a script can use."""

from typing import Any

import pytest

from graft.pipeline.installation import all_checks as module
from graft.pipeline.installation.check import Answer, Check


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """What the checks find, by name."""
    found: dict[str, Answer] = {"python": Answer("ok", "3.11"), "shm": Answer("note", "64 MB", "raise it")}
    monkeypatch.setattr(
        module,
        "all_checks",
        lambda home, starts_ray: [Check(name, lambda one=one: one) for name, one in found.items()],  # type: ignore[misc]
    )
    return found


def test_a_sound_installation(graft: Any, answers: dict[str, Answer]) -> None:
    done = graft("doctor", "--install")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "ok      python     3.11",
        "note    shm        64 MB; raise it",
        "everything is here that a job needs",
    ]
    assert graft("doctor", "--install", "--json").json == {
        "status": "ok",
        "checks": [
            {"name": "python", "state": "ok", "found": "3.11", "advice": ""},
            {"name": "shm", "state": "note", "found": "64 MB", "advice": "raise it"},
        ],
    }


def test_a_broken_one_ends_with_3(graft: Any, answers: dict[str, Answer]) -> None:
    answers["torch"] = Answer("broken", "cannot be imported", "install it")
    done = graft("doctor", "--install")
    assert (done.exit_code, done.err) == (3, "graft: torch is broken; see above what to do\n")
    assert done.out.splitlines()[-1] == "broken  torch      cannot be imported; install it"
    done = graft("doctor", "--install", "--json")
    assert (done.exit_code, done.json["status"], done.err) == (3, "broken", "")
    assert done.json["checks"][-1]["advice"] == "install it"


def test_it_must_be_told_what_to_check(graft: Any) -> None:
    done = graft("doctor")
    assert (done.exit_code, done.out) == (2, "")
    assert "try `graft doctor --install`" in done.err

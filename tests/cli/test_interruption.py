"""SIGTERM does what Ctrl-C does, also in a process that is deaf to Ctrl-C."""

import signal
from collections.abc import Iterator

import pytest

from graft.cli.interruption import goes_on_when_repeated, hear_termination
from graft.spec import load


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


def test_it_is_told_as_an_interruption(graft, monkeypatch):
    monkeypatch.setattr(load, "load_job", lambda *_: signal.raise_signal(signal.SIGTERM))
    done = graft("validate", "x.yaml")
    assert (done.exit_code, done.err) == (143, "graft: interrupted\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_exit_code_says_which_signal_it_was_where_work_was_kept_too(graft, monkeypatch, number, code):
    def work(*_: object) -> None:
        with goes_on_when_repeated("the answers are kept"):
            signal.raise_signal(number)

    monkeypatch.setattr(load, "load_job", work)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done = graft("validate", "x.yaml", "--json")
    assert (done.exit_code, done.json["exit_code"]) == (code, code)
    assert done.json["error"] == "interrupted; the answers are kept, and the same command goes on"


def test_it_does_what_ctrl_c_does_at_that_moment():
    heard = []
    hear_termination()
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGINT]


@pytest.mark.parametrize("deaf", [signal.SIG_IGN, signal.SIG_DFL])
def test_it_ends_what_ctrl_c_does_not(deaf):
    signal.signal(signal.SIGINT, deaf)
    hear_termination()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_who_has_it_ignored_is_obeyed():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hear_termination()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN

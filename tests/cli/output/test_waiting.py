"""What takes long is told once, and what does not is not."""

import threading

from graft.cli.output.waiting import telling_long_wait


def test_only_a_long_wait_is_told(monkeypatch):
    told, lines = threading.Event(), []
    monkeypatch.setattr("graft.cli.output.waiting.tell", lambda *texts, err: (lines.append((texts, err)), told.set()))
    with telling_long_wait("looking for models:/digits", patience=0.0):
        told.wait()
    with telling_long_wait("looking for models:/photos", patience=3600.0):
        pass
    assert lines == [(("still looking for models:/digits …",), True)]
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer) and not one.finished.is_set()]

"""The display of a run in a notebook, in a real kernel; the run itself is a story of events."""

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from graft.api.notebook import NotebookDisplay, is_in_notebook
from graft.experiments.progress import Progress
from graft.journal import events
from graft.spec.load import parse_job

JOB = parse_job({"name": "digits", "data": {"kind": "digits"}, "search": {"metric": "accuracy"}})

SHOWN = """
from graft.api.notebook import NotebookDisplay, is_in_notebook
from graft.experiments.progress import Progress
from graft.journal import events
from graft.spec.load import parse_job
job = parse_job({"name": "digits", "data": {"kind": "digits"}, "search": {"metric": "accuracy"}})
show = NotebookDisplay(Progress(job.objective, job.training.epochs))
show(events.StageStarted("ingest"))
show(events.StageFinished("ingest", 3.0, "1797 images"))
assert is_in_notebook()
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    """A client of a kernel of its own."""
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def outputs(kernel: Any, code: str) -> list[tuple[str, Any]]:
    """What a cell shows: the kind of each message, and its content."""
    found: list[tuple[str, Any]] = []
    kernel.execute_interactive(
        code, output_hook=lambda message: found.append((message["msg_type"], message["content"]))
    )
    told = [content for kind, content in found if kind == "error"]
    assert not told, "\n".join(told[0]["traceback"])
    return [one for one in found if one[0] != "status"]


def test_one_output_keeps_itself_up_to_date(kernel):
    shown = [one for one in outputs(kernel, SHOWN) if one[0].endswith("display_data")]
    assert [kind for kind, _ in shown] == ["display_data", "update_display_data"]
    names = {content["transient"]["display_id"] for _, content in shown}
    assert len(names) == 1
    assert "<th>ingest</th><td>done</td><td>3.0 s</td><td>1797 images</td>" in shown[-1][1]["data"]["text/html"]


def test_results_show_themselves(kernel):
    code = """
from graft import Result
summary = {"experiment": "digits-<1>", "metric": "accuracy", "test": 0.97, "test_interval": [0.95, 0.98]}
Result(summary, [{"rank": 1, "trial": "t01", "label": "<b>lr</b>", "score": 0.9, "status": "completed"}])
"""
    (_, content) = next(one for one in outputs(kernel, code) if one[0] == "execute_result")
    assert "0.9700, 95 % interval 0.9500 to 0.9800" in content["data"]["text/plain"]
    html = content["data"]["text/html"]
    assert "digits-&lt;1&gt;" in html
    assert "&lt;b&gt;lr&lt;/b&gt;" in html


def test_the_public_names_are_all_that_is_offered(kernel):
    (_, content) = next(one for one in outputs(kernel, "import graft\ndir(graft)") if one[0] == "execute_result")
    assert "'Predictor'" in content["data"]["text/plain"]
    assert "import_module" not in content["data"]["text/plain"]


def test_libraries_tell_nothing_below_the_display(kernel):
    """Neither while they are imported nor when Ray starts: that there are no widgets, and that there is a token."""
    code = """
import graft
graft.run, graft.load
import tqdm.auto
from ray._private.authentication import authentication_token_setup
from ray.widgets.util import _has_missing
assert _has_missing(("no_such_package", None))
authentication_token_setup._warn_token_auth_enabled()
"""
    assert [content["text"] for kind, content in outputs(kernel, code) if kind == "stream"] == []


def test_here_is_no_notebook():
    assert not is_in_notebook()


def test_reports_are_drawn_now_and_then_and_the_rest_at_once(monkeypatch):
    drawn: list[str] = []
    time = [0.0]
    display = NotebookDisplay(Progress(JOB.objective, 8), now=lambda: time[0])
    monkeypatch.setattr(NotebookDisplay, "_draw", lambda self: drawn.append(self.html()))
    display(events.TrialStarted("t00", {"lr": 0.1}, "lr 0.1", 0, time=1.0))
    for epoch in range(1, 5):
        time[0] = epoch * 0.2
        display(events.TrialReported("t00", epoch, {"val/accuracy": 0.5 + epoch / 100}, 1.0, time=1.0 + epoch))
    assert len(drawn) == 2
    display(events.TrialFinished("t00", events.TrialStatus.COMPLETED, "done", 4, time=9.0))
    assert "best accuracy 0.5400 (t00)" in drawn[-1]
    assert "1 of 1 trials so far have ended" in drawn[-1]

"""Whole runs in the kernel of a notebook, and in a thread there: whoever calls graft is not always its command line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

JOB = """
import graft
job = {
    "name": "digits",
    "data": {"kind": "digits", "limit": 200},
    "strategy": {"freeze": 1.0, "resolution": 32, "lr": {"choice": [0.001, 0.01, 0.02, 0.03]}},
    "training": {"epochs": EPOCHS},
    "search": {"scheduler": "none", "budget": {"trials": TRIALS}},
    "export": {"register": False},
}
"""

INTERRUPTED = """
from graft.journal.events import TrialReported
told = []
def listen(event):
    if isinstance(event, TrialReported) and not told:
        told.append(event)
        print("a trial has a score", flush=True)
graft.run(job, home=HOME, options=graft.RunOptions(listeners=(listen,)))
"""

IN_A_THREAD = """
import threading
results = []
thread = threading.Thread(target=lambda: results.append(graft.run(job, home=HOME)))
thread.start()
thread.join()
print(results[0].summary["status"], results[0].predict(BUNDLE_PHOTO)["error"].tolist())
"""

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture
def manager() -> Iterator[Any]:
    """A kernel of its own, with its client."""
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def job(epochs: int, trials: int) -> str:
    return JOB.replace("EPOCHS", str(epochs)).replace("TRIALS", str(trials))


def test_an_interrupt_ends_the_run_and_keeps_the_best(manager: Any, tmp_path: Path) -> None:
    kernel, client = manager
    found: list[tuple[str, Any]] = []

    def hear(message: Any) -> None:
        found.append((message["msg_type"], message["content"]))
        if "a trial has a score" in str(message["content"].get("text", "")):
            kernel.interrupt_kernel()

    code = job(epochs=200, trials=4) + INTERRUPTED.replace("HOME", repr(str(tmp_path / "home")))
    client.execute_interactive(code, output_hook=hear)
    (error,) = [content for kind, content in found if kind == "error"]
    assert error["ename"] == "Interrupted"
    told = re.search(r"the best model so far is in (.+?); `graft resume", error["evalue"])
    assert told, error["evalue"]
    assert Path(told[1], "manifest.json").is_file()
    assert {"display_data", "update_display_data"} <= {kind for kind, _ in found}


def test_a_run_in_a_thread_ends_as_one_in_the_main_thread(manager: Any, tmp_path: Path) -> None:
    _, client = manager
    found: list[tuple[str, Any]] = []
    named = IN_A_THREAD.replace("HOME", repr(str(tmp_path / "home"))).replace("BUNDLE_PHOTO", "photo")
    picture = "import numpy as np\nphoto = np.zeros((8, 8), np.uint8)\n"
    client.execute_interactive(
        job(epochs=1, trials=1) + picture + named,
        output_hook=lambda one: found.append((one["msg_type"], one["content"])),
    )
    assert not [content for kind, content in found if kind == "error"]
    assert any("completed [None]" in str(content.get("text", "")) for kind, content in found if kind == "stream")

"""Scripts of this folder, run to their end in this process."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_limits

from graft.data import ingest

RunScript = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunScript:
    """``run_script("text", "--smoke")``: the lines of JSON that a script prints.

    A process of its own would import networks anew, which takes longer than most smallest runs.
    """
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(ingest, "decoded_blocks", ingest.decoded_blocks)  # some put another in its place

    def run(name: str, *arguments: object) -> list[dict[str, Any]]:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            # Threads of two libraries that wait for each other take twenty times as long.
            with threadpool_limits(1):
                assert not importlib.import_module(name).main()
        finally:
            torch.set_num_threads(threads)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]

    return run

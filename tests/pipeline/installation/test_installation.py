"""What `graft doctor --install` finds, and what it says is to be done."""

import os
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from graft.core.storage import Home
from graft.pipeline.installation import machine, packages
from graft.pipeline.installation.all_checks import all_checks
from graft.pipeline.installation.check import Answer, Check, answered

GB = 1024**3
TORCH = {"torch": "2.14.1+cu130", "torchvision": "0.29.1+cu130", "cuda": "13.0", "gpus": [], "said": ""}


@pytest.mark.parametrize(
    ("changes", "gpu", "visible", "state", "told"),
    [
        ({}, False, None, "ok", "torch 2.14.1+cu130, torchvision 0.29.1+cu130, no GPU here"),
        ({"gpus": ["H200"]}, True, None, "ok", "H200"),
        ({}, True, "", "note", "unset it to use them"),
        ({"cuda": ""}, True, None, "broken", "built without CUDA, but this machine has a GPU; install builds of torch"),
        ({"cuda": ""}, False, None, "ok", "no GPU here"),
        (
            {"said": "The NVIDIA driver on your system is too old"},
            True,
            None,
            "broken",
            "cannot use the GPU of this machine (The NVIDIA driver on your system is too old); update the driver",
        ),
    ],
)
def test_torch_and_the_gpu_must_fit(
    changes: dict[str, Any], gpu: bool, visible: str | None, state: str, told: str
) -> None:
    found = packages.judged_torch({**TORCH, **changes}, gpu, visible)
    assert found.state == state
    assert told in f"{found.found}; {found.advice}"


def test_a_torch_that_cannot_be_imported_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(code: str, timeout: float = 1) -> Any:
        said = "Traceback (most recent call last):\n  …\nRuntimeError: operator torchvision::nms does not exist\n\n"
        return subprocess.CompletedProcess([], 1, "", said)

    monkeypatch.setattr(packages, "run_python", run)
    found = packages.torch()
    assert (found.state, found.found) == ("broken", "RuntimeError: operator torchvision::nms does not exist")
    assert "from the same index" in found.advice
    assert packages.libraries().state == "broken"


def test_a_process_that_does_not_end_has_failed() -> None:
    done = packages.run_python("import threading; threading.Event().wait()", timeout=0.2)
    assert done.returncode == 1
    assert "no answer within 0 s" in packages.last_line(done.stderr)


def test_what_graft_asks_for_is_compared_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.requirements().state == "ok"
    wanted = [
        "numpy>=99",
        "no-such-package-at-all>=1",
        "extra-thing; extra == 'test'",
        "win-thing; sys_platform=='win32'",
    ]
    monkeypatch.setattr(packages.metadata, "requires", lambda name: wanted)
    found = packages.requirements()
    assert found.state == "broken"
    assert "numpy is 2" in found.found
    assert "but must be >=99, no-such-package-at-all is missing" in found.found
    assert "thing" not in found.found
    assert "new virtual environment" in found.advice


def test_an_old_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.python().state in ("ok", "note")
    monkeypatch.setattr(packages.sys, "version_info", (3, 10, 1))
    assert packages.python().state == "broken"
    assert "3.11 or newer" in packages.python().advice


def test_weights_that_are_missing_are_told_with_their_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.weights().state == "ok"
    monkeypatch.setattr(
        packages, "check_backbone", lambda name: f"backbone `{name}`: package x is not installed; do so"
    )
    assert packages.weights().state == "broken"
    assert "is not installed; do so" in packages.weights().found


@pytest.mark.parametrize(
    ("free", "inodes", "state", "told"),
    [
        (50 * GB, None, "ok", "50.0 GB free"),
        (50 * GB, 1_000_000, "ok", "50.0 GB free"),
        (2 * GB, None, "note", "GRAFT_CACHE_GB"),
        (GB // 2, None, "broken", "make room"),
        (50 * GB, 12, "broken", "12 more files"),
    ],
)
def test_room_at_the_home(free: int, inodes: int | None, state: str, told: str) -> None:
    found = machine.judged_disk(free, inodes)
    assert found.state == state
    assert told in f"{found.found}; {found.advice}"


@pytest.mark.parametrize(
    ("size", "free", "state", "told"),
    [
        (8 * GB, 8 * GB, "ok", "8.0 of 8.0 GB"),
        (64 * 1024**2, 64 * 1024**2, "note", "--shm-size=2g"),
        (8 * GB, 1024, "note", "something else fills it"),
    ],
)
def test_memory_that_processes_share(size: int, free: int, state: str, told: str) -> None:
    found = machine.judged_shared_memory(size, free)
    assert found.state == state
    assert told in f"{found.found}; {found.advice}"


def test_without_shared_memory_it_is_slower(tmp_path: Path) -> None:
    assert machine.shared_memory(tmp_path / "none").state == "note"
    assert machine.shared_memory(tmp_path).state in ("ok", "note")


def test_a_home_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert machine.home(Home(tmp_path / "a" / "b")).state == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_a_file_or_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    found = machine.home(Home(tmp_path / "file" / "home"))
    assert (found.state, found.advice) == ("broken", "choose another with --home")

    def fails(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(machine, "_write_database", fails)
    assert "cannot be written (Read-only file system)" in machine.home(Home(tmp_path)).found

    def locked(path: Path) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(machine, "_write_database", locked)
    found = machine.home(Home(tmp_path))
    assert "takes no database (disk I/O error)" in found.found
    assert "tracking.uri" in found.advice


def test_the_loopback_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.loopback().state == "ok"

    def refused(*args: object, **kwargs: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    assert (machine.loopback().state, machine.loopback().found) == (
        "broken",
        "127.0.0.1 cannot be reached (Connection refused)",
    )


@pytest.mark.parametrize(
    ("limits", "state", "told"),
    [
        ((256, 4096), "broken", "raise it: ulimit -n 4096"),
        ((256, -1), "broken", "ulimit -n more"),
        ((256, 256), "broken", "have the hard limit raised"),
        ((65536, 65536), "ok", "65536 open files"),
        ((-1, -1), "ok", "no limit"),
    ],
)
def test_open_files(monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], state: str, told: str) -> None:
    monkeypatch.setattr(machine.resource, "getrlimit", lambda what: limits)
    found = machine.open_files()
    assert found.state == state
    assert told in f"{found.found}; {found.advice}"


def test_a_cluster_is_asked_only_if_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert "not set" in machine.cluster().found
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(machine, "run_python", lambda code: subprocess.CompletedProcess([], 1, "", "E: nobody there"))
    assert (machine.cluster().state, machine.cluster().found) == ("broken", "E: nobody there")


def test_a_check_that_raises_is_broken_and_stops_no_other() -> None:
    def raises() -> Answer:
        raise ValueError("a\nb")

    found = list(answered([Check("one", raises), Check("two", lambda: Answer("ok", "fine"))]))
    assert [(one.name, one.state) for one in found] == [("one", "broken"), ("two", "ok")]
    assert str(found[0]) == "broken  one        ValueError: a b; repair this first"


def test_every_check_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = [check.name for check in all_checks(Home(tmp_path), starts_ray=True)]
    assert len(set(names)) == len(names)
    assert names[-1] == "ray"
    assert {"python", "torch", "weights", "home", "disk", "shm", "loopback"} <= set(names)


@pytest.mark.slow
def test_this_installation_is_sound(tmp_path: Path) -> None:
    os.environ.pop("RAY_ADDRESS", None)
    found = list(answered(all_checks(Home(tmp_path), starts_ray=True)))
    assert [str(one) for one in found if one.state == "broken"] == []
    assert "started, and ran a call, in " in found[-1].found

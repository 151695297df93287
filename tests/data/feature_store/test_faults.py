"""Real processes that are killed, and a real disk that is full."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.store import FeatureStore

ROWS, WIDTH = 50, 1000
KEY = FeatureKey("d", "train", "{}", None, "w", "net", 3)

Start = Callable[[str], "Child"]


class Child:
    """A process that uses the store."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def expect(self, line: str) -> None:
        """Wait for its next line."""
        assert self._process.stdout is not None
        found = self._process.stdout.readline().strip()
        assert found == line, f"{found}\n{self._process.stderr.read() if self._process.stderr else ''}"

    def go_on(self) -> None:
        """Let it pass the point where it waits."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """Kill it, and wait until it is dead."""
        self._process.kill()
        self.ended(-signal.SIGKILL)

    def ended(self, code: int = 0) -> str:
        """Wait for its end; what it printed last."""
        # Not `communicate`: it would lose what came together with the line before.
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        out = self._process.stdout.read()
        assert self._process.wait() == code, self._process.stderr.read()
        return out


@pytest.fixture
def start(repository: Path, root: Path) -> Iterator[Start]:
    """Starts one: `start("pause")`."""
    running = []

    def start(what: str) -> Child:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("builder.py")), what, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(repository / "platform")},
        )
        running.append(process)
        return Child(process)

    yield start
    for process in running:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def store(root: Path) -> FeatureStore:
    return FeatureStore(root, 10**8, shard_bytes=10 * WIDTH * 4)


def rows(start: int, stop: int) -> Iterator[np.ndarray]:
    yield np.repeat(np.arange(start, stop, dtype=np.float32)[:, None], WIDTH, axis=1)


def building(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.startswith(".")]


def test_a_builder_killed_half_way_leaves_nothing_that_is_believed(start, store, root):
    child = start("die")
    child.expect("computing 0 50")
    child.ended(-signal.SIGKILL)
    assert len(building(root)) == 1
    assert store.open(KEY) is None
    assert store.catalog.entries() == []
    with store.build(KEY, (WIDTH,), ROWS, rows) as features:
        assert features.rows([49])[0, 0] == 49
    assert building(root) == []


def test_what_one_killed_builder_left_is_swept_by_a_builder_of_something_else(start, store, root, make_key):
    start("die").ended(-signal.SIGKILL)
    store.build(make_key(cut=9), (WIDTH,), ROWS, rows).close()
    assert building(root) == []


def test_of_two_builders_one_computes(start, root):
    first = start("pause")
    first.expect("computing 0 50")
    first.expect("half-way")
    second = start("build")
    second.expect("waiting")
    first.go_on()
    first.expect("built")
    second.expect("hit")
    assert first.ended() == second.ended() == "49.0\n"


def test_who_waits_takes_over_from_a_killed_builder(start, root):
    first = start("pause")
    first.expect("computing 0 50")
    first.expect("half-way")
    second = start("build")
    second.expect("waiting")
    first.kill()
    second.expect("computing 0 50")
    second.expect("built")
    assert second.ended() == "49.0\n"
    assert building(root) == []


def test_a_reader_protects_what_it_reads_until_it_is_killed(start, store):
    store.build(KEY, (WIDTH,), ROWS, rows).close()
    reader = start("read")
    reader.expect("hit")
    assert not store.catalog.remove(KEY.digest())
    reader.kill()
    store.open(KEY).close()
    assert store.catalog.remove(KEY.digest())


def test_a_reader_goes_on_when_the_files_are_gone(start, store):
    store.build(KEY, (WIDTH,), ROWS, rows).close()
    reader = start("read")
    reader.expect("hit")
    store.catalog.discard(KEY.digest())
    reader.go_on()
    assert reader.ended() == "49.0\n"


def test_a_file_that_may_not_grow_is_a_clear_error(start, root):
    child = start("limited")
    child.expect("computing 0 50")
    assert child.ended().startswith(f"NotStored features cannot be stored in {root}/.building-")
    assert building(root) == []


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    directory.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a file system cannot be mounted here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with pytest.raises(OSError, match="No space"):
        file.write_bytes(b"x" * 10**7)


def test_a_disk_that_fills_up_while_building_is_a_clear_error(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        store = FeatureStore(disk / "features", 10**9, shard_bytes=10 * WIDTH * 4)

        def another_fills_it(start: int, stop: int) -> Iterator[np.ndarray]:
            for first in range(start, stop, 10):
                if first == 30:
                    fill(disk / "other")
                yield from rows(first, first + 10)

        with pytest.raises(NotStored, match=r"features cannot be stored in .* \(no space left\)"):
            store.build(KEY, (WIDTH,), ROWS, another_fills_it)
        assert building(store.catalog.root) == []
        assert store.open(KEY) is None
        (disk / "other").unlink()
        store.build(KEY, (WIDTH,), ROWS, rows).close()


def test_a_disk_that_is_too_small_is_an_error_before_anything_is_computed(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        store = FeatureStore(disk / "features", 10**9)
        with pytest.raises(NotStored, match=r"but the disk has 0.00 GB free"):
            store.build(KEY, (WIDTH,), 1000, lambda *_: pytest.fail("computed"))

import threading
from pathlib import Path

import pytest

from graft.core.errors import ResourceError
from graft.journal.events import Event, SystemSampled
from graft.journal.journal import Journal
from graft.tracking import system_sampling
from graft.tracking.system_sampling import SystemSampler

MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    directory = tmp_path / "proc"
    directory.mkdir()
    directory.joinpath("stat").write_text("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n")
    directory.joinpath("meminfo").write_text(MEMINFO)
    return directory


def test_the_share_of_the_cpu_is_over_the_time_since_the_call_before(tmp_path: Path, proc: Path) -> None:
    sampler = SystemSampler(tmp_path, proc)
    proc.joinpath("stat").write_text("cpu  140 0 120 730 110 0 0 0 0 0\n")
    assert sampler.sample()["cpu_utilization_percentage"] == 60.0
    proc.joinpath("stat").write_text("cpu  140 0 120 830 110 0 0 0 0 0\n")
    assert sampler.sample()["cpu_utilization_percentage"] == 0.0


def test_memory_and_disk(tmp_path: Path, proc: Path) -> None:
    found = SystemSampler(tmp_path, proc).sample()
    assert found["system_memory_usage_percentage"] == 75.0
    assert found["system_memory_usage_megabytes"] == pytest.approx(0.768)
    assert 0 < found["disk_usage_percentage"] <= 100
    assert "cpu_utilization_percentage" not in found, "no time has passed"


def test_what_the_system_does_not_tell_is_left_out(tmp_path: Path) -> None:
    sampler = SystemSampler(tmp_path / "gone", tmp_path / "nothing")
    assert not {name for name in sampler.sample() if not name.startswith("gpu_")}


def test_samples_are_recorded_while_the_block_runs_and_not_after(journal: Journal) -> None:
    recorded, enough = list[Event](), threading.Event()

    def listen(event: Event) -> None:
        recorded.append(event)
        if len(recorded) == 3:
            enough.set()

    journal.subscribe(listen)
    with system_sampling.system_sampling(journal, interval=0.001):
        assert enough.wait(60)
    assert {type(event) for event in recorded} == {SystemSampled}
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("(_record)")]


def test_a_journal_that_cannot_be_written_ends_the_sampling_only(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = threading.Event()

    def full(self: Journal, event: Event) -> Event:
        tried.set()
        raise ResourceError("no space left")

    monkeypatch.setattr(Journal, "append", full)
    with system_sampling.system_sampling(journal, interval=0.001):
        assert tried.wait(60)
    assert "not sampled any more" in caplog.text

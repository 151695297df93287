import mmap
import os
import time
from pathlib import Path

from graft.training.process_usage import ProcessUsage

CPU, MEMORY = "system/process_cpu_utilization_percentage", "system/process_memory_megabytes"


def test_a_busy_process_takes_more_of_the_cpu_than_a_sleeping_one():
    usage = ProcessUsage("cpu")
    time.sleep(0.2)
    idle = usage.sample()[CPU]
    burn = time.process_time() + 0.2
    while time.process_time() < burn:
        pass
    assert 0 <= idle < usage.sample()[CPU]


def test_memory_that_is_taken_shows():
    usage = ProcessUsage("cpu")
    before = usage.sample()[MEMORY]
    # Not from the heap: what others have freed there is in memory already.
    with mmap.mmap(-1, 50_000_000) as taken:
        taken.write(bytes(50_000_000))
        assert usage.sample()[MEMORY] - before > 40


def test_where_the_system_does_not_tell_it_is_the_peak(tmp_path: Path):
    peak = ProcessUsage("cpu", proc=tmp_path).sample()[MEMORY]
    assert peak >= ProcessUsage("cpu").sample()[MEMORY] * 0.9
    assert peak < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_cpu_has_no_memory_of_a_gpu():
    assert set(ProcessUsage("cpu").sample()) == {CPU, MEMORY}

"""How busy the driver's machine is, as a record every few seconds; read from Linux's ``/proc``, no package needed.

MLflow shows metrics of these names on the page "System metrics" of a run. Nodes of a cluster other than the driver's
are not sampled: Ray's own dashboard shows them.
"""

import contextlib
import importlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from graft.core.errors import GraftError
from graft.journal.events import SystemSampled
from graft.journal.journal import Journal

INTERVAL_S = 10.0
_LOG = logging.getLogger(__name__)
_MEGABYTE = 1e6


class SystemSampler:
    """Measures the machine; a share of the CPU is over the time since the call before.

    Args:
        directory: the disk that it lies on is measured.
        proc: where Linux shows itself.
    """

    def __init__(self, directory: Path, proc: Path = Path("/proc")) -> None:
        self._directory = directory
        self._proc = proc
        self._before = self._cpu_times()

    def sample(self) -> dict[str, float]:
        """The metrics by MLflow's names; those that this system does not tell are left out."""
        return {**self._cpu(), **self._memory(), **self._disk(), **_gpus()}

    def _cpu(self) -> dict[str, float]:
        before, self._before = self._before, self._cpu_times()
        (busy, total), (busy_before, total_before) = self._before, before
        if total <= total_before:
            return {}
        return {"cpu_utilization_percentage": 100 * (busy - busy_before) / (total - total_before)}

    def _cpu_times(self) -> tuple[float, float]:
        """Busy and all ticks since the machine was started; zeros where they are not told."""
        try:
            fields = [float(field) for field in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return 0.0, 0.0
        return sum(fields) - sum(fields[3:5]), sum(fields)  # the fourth and fifth are idle, and idle while a disk works

    def _memory(self) -> dict[str, float]:
        try:
            lines = (self._proc / "meminfo").read_text().splitlines()
            kilobytes = {line.partition(":")[0]: float(line.split()[1]) for line in lines if ":" in line}
            total, available = kilobytes["MemTotal"], kilobytes["MemAvailable"]
        except (OSError, ValueError, KeyError, IndexError):
            return {}
        used = total - available
        return {
            "system_memory_usage_megabytes": used * 1024 / _MEGABYTE,
            "system_memory_usage_percentage": 100 * used / total,
        }

    def _disk(self) -> dict[str, float]:
        try:
            usage = shutil.disk_usage(self._directory)
        except OSError:
            return {}
        return {
            "disk_usage_percentage": 100 * usage.used / usage.total,
            "disk_available_megabytes": usage.free / _MEGABYTE,
        }


@contextlib.contextmanager
def system_sampling(journal: Journal, interval: float = INTERVAL_S) -> Iterator[None]:
    """Record samples into a journal while the block runs; none after it."""
    sampler, over = SystemSampler(journal.path.parent), threading.Event()
    thread = threading.Thread(target=_record, args=(journal, sampler.sample, over, interval), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _record(journal: Journal, sample: Callable[[], dict[str, float]], over: threading.Event, interval: float) -> None:
    while not over.wait(interval):
        try:
            journal.append(SystemSampled(sample()))
        except GraftError:
            # What cannot be written is the driver's business, which gets the same error from its own records.
            _LOG.warning("the machine is not sampled any more", exc_info=True)
            return


def _gpus() -> dict[str, float]:
    """Of the NVIDIA GPUs, if the package that asks their driver is installed."""
    try:
        pynvml = importlib.import_module("pynvml")
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
        found: dict[str, float] = {}
        for index in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(device)
            found[f"gpu_{index}_utilization_percentage"] = float(pynvml.nvmlDeviceGetUtilizationRates(device).gpu)
            found[f"gpu_{index}_memory_usage_megabytes"] = memory.used / _MEGABYTE
            found[f"gpu_{index}_memory_usage_percentage"] = 100 * memory.used / memory.total
    except pynvml.NVMLError:
        return {}
    return found

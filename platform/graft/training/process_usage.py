"""What a process that trains takes of its machine: its part of the CPU, memory, and memory of its GPU."""

import resource
import sys
import time
from pathlib import Path

import torch

_MEGABYTE = 1e6
# macOS tells the peak in bytes, Linux in kilobytes.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class ProcessUsage:
    """Measures this process; a share of the CPU is over the time since the call before, 100 for each core kept busy.

    Args:
        device: what it trains on.
        proc: where Linux shows this process.
    """

    def __init__(self, device: str, proc: Path = Path("/proc/self")) -> None:
        self._device = torch.device(device)
        self._proc = proc
        self._before = _cpu_seconds(), time.perf_counter()

    def sample(self) -> dict[str, float]:
        """The metrics, by names that MLflow shows on the page "System metrics" of a run."""
        (cpu_before, before), (cpu, now) = self._before, (_cpu_seconds(), time.perf_counter())
        self._before = cpu, now
        found = {
            "system/process_cpu_utilization_percentage": 100 * (cpu - cpu_before) / max(now - before, 1e-9),
            "system/process_memory_megabytes": self._resident() / _MEGABYTE,
        }
        if self._device.type == "cuda":
            found["system/process_gpu_memory_megabytes"] = torch.cuda.max_memory_reserved(self._device) / _MEGABYTE
        return found

    def _resident(self) -> float:
        """Bytes that are in memory now; the most there have ever been where a system does not tell."""
        try:
            pages = int((self._proc / "statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT)
        return float(pages * resource.getpagesize())


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

"""Where a run comes from: the commit it was started in, and the machine of its driver."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_PATIENCE_S = 5.0


RECORDED_VERSIONS = ("graft", "ray", "torch", "torchvision", "timm", "mlflow")


def versions_here() -> dict[str, str]:
    """The versions of the packages that a result depends on."""
    return {package: version(package) for package in RECORDED_VERSIONS}


def git_commit(directory: Path) -> str | None:
    """The commit that is checked out in a directory; None outside of a repository, or without git."""
    command = ["git", "-C", str(directory), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def machine() -> str:
    """The driver's machine in one line: processor, cores that this process may use, memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())

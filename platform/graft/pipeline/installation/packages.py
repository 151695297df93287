"""What is installed: Python, the packages that graft needs, torch with its GPU, the weights."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from graft.models.load import check_backbone
from graft.pipeline.installation.check import Answer
from graft.spec.registry import members

_OLDEST = (3, 11)
_REINSTALL = "install graft once more into a new virtual environment"
_SECONDS = 300
# Each is imported in a process of its own, because a broken library may end the one that imports it.
_TORCH = """
import json, warnings, torch, torchvision
from torchvision.ops import nms
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    there = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__, "torchvision": torchvision.__version__, "cuda": torch.version.cuda or "",
    "gpus": [torch.cuda.get_device_name(one) for one in range(torch.cuda.device_count())] if there else [],
    "said": " ".join(str(one.message) for one in said),
}))
"""
_LIBRARIES = ("ray", "mlflow", "transformers", "timm", "pyarrow", "pandas", "sklearn", "optuna")


def python() -> Answer:
    """The interpreter."""
    found = f"{sys.version.split()[0]} in {sys.prefix}"
    if sys.version_info < _OLDEST:
        return Answer("broken", found, f"graft needs Python {'.'.join(map(str, _OLDEST))} or newer")
    if sys.prefix == sys.base_prefix:
        return Answer(
            "note", found, "a virtual environment keeps other programs' packages apart: python3 -m venv .venv"
        )
    return Answer("ok", found)


def requirements() -> Answer:
    """Whether all that graft asks for is there, in versions that it takes."""
    wanted = [Requirement(line) for line in metadata.requires("graft") or ()]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    faults = [fault for one in needed if (fault := _fault(one))]
    if faults:
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        return Answer("broken", f"{', '.join(faults[:4])}{more}", _REINSTALL)
    return Answer("ok", f"{len(needed)} packages, as graft {metadata.version('graft')} asks for")


def torch() -> Answer:
    """Whether torch and torchvision fit each other, and the GPU."""
    done = run_python(_TORCH)
    if done.returncode:
        advice = "install torch and torchvision together, from the same index: their builds must match"
        return Answer("broken", last_line(done.stderr), advice)
    return judged_torch(json.loads(done.stdout.splitlines()[-1]), has_gpu(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def judged_torch(found: dict[str, Any], gpu: bool, visible: str | None) -> Answer:
    """What torch says of itself, beside what the machine has. Pure.

    Args:
        found: versions, the CUDA that torch was built for, names of GPUs, and what it warned of.
        gpu: whether the machine shows one.
        visible: ``CUDA_VISIBLE_DEVICES``, if it is set.
    """
    told = f"torch {found['torch']}, torchvision {found['torchvision']}"
    if found["gpus"]:
        return Answer("ok", f"{told}, {', '.join(found['gpus'])}")
    if not gpu:
        return Answer("ok", f"{told}, no GPU here")
    if visible is not None and visible.strip() in ("", "-1"):
        return Answer("note", f"{told}, GPUs hidden by CUDA_VISIBLE_DEVICES", "unset it to use them")
    if not found["cuda"]:
        advice = "install builds of torch and torchvision for CUDA to use it"
        return Answer("broken", f"{told}, built without CUDA, but this machine has a GPU", advice)
    reason = f" ({' '.join(found['said'].split())[:160]})" if found["said"] else ""
    return Answer(
        "broken",
        f"{told}, built for CUDA {found['cuda']}, cannot use the GPU of this machine{reason}",
        f"update the driver, or install builds for the CUDA that `nvidia-smi` names, not {found['cuda']}",
    )


def libraries() -> Answer:
    """Whether the other large libraries can be imported."""
    done = run_python(
        "\n".join(["import importlib", f"for name in {_LIBRARIES!r}:", "    importlib.import_module(name)"])
    )
    if done.returncode:
        return Answer("broken", last_line(done.stderr), _REINSTALL)
    return Answer("ok", f"{', '.join(_LIBRARIES)} can be imported")


def weights() -> Answer:
    """Whether the weights that jobs start from by default are there; no network is asked."""
    names = [str(getattr(modality, "default_backbone", "")) for modality in members("modality").values()]
    problems = [problem for name in names if name and (problem := check_backbone(name))]
    if problems:
        return Answer("broken", problems[0], "" if len(problems) == 1 else f"and {len(problems) - 1} more")
    return Answer("ok", f"{', '.join(filter(None, names))} are here; no network is needed for them")


def has_gpu() -> bool:
    """Whether the kernel shows an NVIDIA GPU."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/proc/driver/nvidia/version").exists()


def run_python(code: str, timeout: float = _SECONDS) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own; one that does not end has failed."""
    command = [sys.executable, "-c", code]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        told = f"no answer within {timeout:.0f} s: the machine is overloaded, or a library waits for something"
        return subprocess.CompletedProcess(command, 1, "", told)


def last_line(text: str) -> str:
    """The last line that says something, short: of a traceback, the error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it ended without a word"


def _fault(wanted: Requirement) -> str:
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing"
    if wanted.specifier.contains(found, prereleases=True):
        return ""
    return f"{wanted.name} is {found}, but must be {wanted.specifier}"

"""How the machine is shared among trials. A pure decision: the session's resources in, the shares out."""

from dataclasses import dataclass
from typing import Literal

from graft.core.errors import ResourceError
from graft.spec.resources import ResourcesSpec


@dataclass(frozen=True)
class TrialShare:
    """What one trial occupies, and how many run at once.

    Attributes:
        cpus: of all its workers together.
        gpus: of all its workers together.
        concurrent: trials at once.
        workers: processes that train one trial.
        placement: whether they share nodes.
    """

    cpus: float
    gpus: float
    concurrent: int
    workers: int = 1
    placement: Literal["pack", "spread"] = "pack"

    @property
    def cpus_per_worker(self) -> float:
        return self.cpus / self.workers

    @property
    def gpus_per_worker(self) -> float:
        return self.gpus / self.workers

    @property
    def num_threads(self) -> int:
        """Torch threads of a worker: its CPUs, so that trials never fight for cores."""
        return max(1, int(self.cpus_per_worker))


def share(spec: ResourcesSpec, cpus: float, gpus: float, trials: int | None, can_grow: bool = False) -> TrialShare:
    """Divide a session's resources.

    Args:
        spec: what the job asks for.
        cpus: CPUs of the session.
        gpus: GPUs of the session.
        trials: how many there will be at most; None is no limit.
        can_grow: whether the cluster adds nodes when they are asked for; then nothing is too much.

    Raises:
        ResourceError: one trial asks for more than there is.
    """
    workers = spec.workers
    cpus_each = 1.0 if spec.cpus_per_worker == "auto" else float(spec.cpus_per_worker)
    gpus_each = (1.0 if gpus else 0.0) if spec.gpus_per_worker == "auto" else float(spec.gpus_per_worker)
    if not can_grow:
        _require("cpus", cpus_each, workers, cpus)
        _require("gpus", gpus_each, workers, gpus)
    most = trials or int(cpus / cpus_each)
    fit = min(int(cpus / (cpus_each * workers) + 1e-9), int(gpus / (gpus_each * workers)) if gpus_each else most, most)
    concurrent = max(1, min(fit, spec.concurrent_trials or fit))
    if spec.cpus_per_worker == "auto":
        cpus_each = max(cpus_each, float(int(cpus / concurrent / workers)))
    return TrialShare(cpus_each * workers, gpus_each * workers, concurrent, workers, spec.placement)


def _require(kind: str, each: float, workers: int, there: float) -> None:
    if each * workers <= there:
        return
    asked = f"{each:g}" if workers == 1 else f"{each:g} for each of {workers} workers"
    raise ResourceError(
        f"resources.{kind}_per_worker is {asked}, but this session has {there:g}; ask for less or add a node"
    )

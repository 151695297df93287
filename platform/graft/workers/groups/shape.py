"""What one group of workers is."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class GroupShape:
    """The size of a worker group, and what each of its workers occupies.

    Attributes:
        workers: processes that work together.
        cpus_per_worker: CPUs of each.
        gpus_per_worker: GPUs of each; a share below 1 lets workers share one.
        placement: ``pack`` puts the workers on as few nodes as possible, ``spread`` on as many.
    """

    workers: int
    cpus_per_worker: float
    gpus_per_worker: float = 0.0
    placement: Literal["pack", "spread"] = "pack"

    @property
    def resources(self) -> dict[str, float]:
        """What one worker occupies, by Ray's names."""
        wanted = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker}
        return {kind: amount for kind, amount in wanted.items() if amount}

    @property
    def num_threads(self) -> int:
        """Torch threads of a worker: its CPUs, so that workers do not fight for cores."""
        return max(1, int(self.cpus_per_worker))

    @property
    def backend(self) -> str:
        """The backend of the torch process group; NCCL refuses two ranks on one GPU."""
        return "cpu:gloo,cuda:nccl" if self.gpus_per_worker >= 1 else "gloo"

    def __str__(self) -> str:
        each = " and ".join(f"{amount:g} {kind}" for kind, amount in self.resources.items())
        return f"{self.workers} worker{'s' if self.workers > 1 else ''} with {each or 'no CPU'} each"

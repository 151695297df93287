"""How the machine is shared among trials. A pure decision: the session's resources in, the shares out."""

from dataclasses import dataclass

from graft.core.errors import ResourceError
from graft.spec.resources import ResourcesSpec


@dataclass(frozen=True)
class TrialShare:
    """What one trial occupies, and how many run at once."""

    cpus: float
    gpus: float
    concurrent: int

    @property
    def num_threads(self) -> int:
        """Torch threads of a trial: its CPUs, so that trials never fight for cores."""
        return max(1, int(self.cpus))


def share(spec: ResourcesSpec, cpus: float, gpus: float, trials: int) -> TrialShare:
    """Divide a session's resources.

    Args:
        spec: what the job asks for.
        cpus: CPUs of the session.
        gpus: GPUs of the session.
        trials: how many there will be at most.

    Raises:
        ResourceError: one trial asks for more than there is.
    """
    wanted_cpus = 1.0 if spec.cpus_per_trial == "auto" else float(spec.cpus_per_trial)
    wanted_gpus = (1.0 if gpus else 0.0) if spec.gpus_per_trial == "auto" else float(spec.gpus_per_trial)
    for kind, wanted, there in (("cpus", wanted_cpus, cpus), ("gpus", wanted_gpus, gpus)):
        if wanted > there:
            raise ResourceError(
                f"resources.{kind}_per_trial is {wanted:g}, but this session has {there:g}; ask for less or add a node"
            )
    fit = min(int(cpus / wanted_cpus), int(gpus / wanted_gpus) if wanted_gpus else trials, trials)
    concurrent = max(1, min(fit, spec.concurrent_trials or fit))
    if spec.cpus_per_trial == "auto":
        wanted_cpus = max(1.0, float(int(cpus / concurrent)))
    return TrialShare(wanted_cpus, wanted_gpus, concurrent)

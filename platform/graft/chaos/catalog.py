"""All faults, in the order in which they are run."""

from collections.abc import Mapping, Sequence

from graft.chaos.fault import Fault
from graft.chaos.faults.cluster import CLUSTER_FAULTS
from graft.chaos.faults.combined import COMBINED_FAULTS
from graft.chaos.faults.driver import DRIVER_FAULTS
from graft.chaos.faults.feature import FEATURE_FAULTS
from graft.chaos.faults.meta import META_FAULTS
from graft.chaos.faults.process import PROCESS_FAULTS
from graft.chaos.faults.stopping import STOPPING_FAULTS
from graft.chaos.faults.storage import STORAGE_FAULTS
from graft.chaos.faults.store import STORE_FAULTS
from graft.chaos.faults.training import TRAINING_FAULTS
from graft.core.errors import SpecError
from graft.core.registry import unknown

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        *DRIVER_FAULTS,
        *PROCESS_FAULTS,
        *STOPPING_FAULTS,
        *CLUSTER_FAULTS,
        *STORE_FAULTS,
        *STORAGE_FAULTS,
        *FEATURE_FAULTS,
        *TRAINING_FAULTS,
        *META_FAULTS,
        *COMBINED_FAULTS,
    )
}


def choose(names: Sequence[str]) -> list[Fault]:
    """The faults of these names, or all.

    Raises:
        SpecError: there is no such fault.
    """
    for name in names:
        if name not in FAULTS:
            raise SpecError(unknown("--only", name, sorted(FAULTS)))
    return [fault for name, fault in FAULTS.items() if not names or name in names]

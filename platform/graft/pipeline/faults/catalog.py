"""All faults, in the order in which they are rehearsed."""

from collections.abc import Mapping, Sequence

from graft.core.errors import SpecError
from graft.core.registry import unknown
from graft.pipeline.faults.cluster_faults import CLUSTER_FAULTS
from graft.pipeline.faults.combined_faults import COMBINED_FAULTS
from graft.pipeline.faults.driver_faults import DRIVER_FAULTS
from graft.pipeline.faults.fault import Fault
from graft.pipeline.faults.feature_faults import FEATURE_FAULTS
from graft.pipeline.faults.process_faults import PROCESS_FAULTS
from graft.pipeline.faults.storage_faults import STORAGE_FAULTS
from graft.pipeline.faults.store_faults import STORE_FAULTS
from graft.pipeline.faults.training_faults import TRAINING_FAULTS

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        *DRIVER_FAULTS,
        *PROCESS_FAULTS,
        *CLUSTER_FAULTS,
        *STORE_FAULTS,
        *STORAGE_FAULTS,
        *FEATURE_FAULTS,
        *TRAINING_FAULTS,
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

"""Whether what a source keeps for validation and test can be learned from what it leaves."""

import numpy as np

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.targets import Targets


def require_trained(source: str, codes: np.ndarray) -> None:
    """Check that there is something to train on.

    Args:
        source: where the samples come from, for people.
        codes: uint8 [N], the split that each row gets.

    Raises:
        DataError: there is nothing.
    """
    if not (codes == Split.TRAIN).any():
        raise DataError(
            f"all {len(codes):,} samples of {source} are for validation or test, but some must be trained on; correct "
            "what says the splits, or leave it out"
        )


def untrained(given: np.ndarray, codes: np.ndarray, targets: Targets) -> str:
    """What to say of labels that the source brings for validation or test alone; empty if there are none.

    Args:
        given: uint8 [N], the split that the source itself says, or `UNASSIGNED`.
        codes: uint8 [N], the split that each row gets.
        targets: of all rows, as the task has read them.
    """
    if targets.values.ndim != 1:
        return ""
    brought = (given != UNASSIGNED) & (codes != Split.TRAIN) & (codes != LEFT_OUT)
    unknown = np.setdiff1d(targets.values[brought], targets.values[codes == Split.TRAIN])
    if not len(unknown):
        return ""
    more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    count = int(np.isin(targets.values[brought], unknown).sum())
    return (
        f"the label `{targets.names[int(unknown[0])]}`{more} is for validation or test, but not in train: no model can "
        f"know it, and {count:,} of these samples count as errors; add it to train, or remove them if it is a mistake"
    )

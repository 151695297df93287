"""Whether what a source keeps for validation and test can be learned from what it leaves."""

import numpy as np

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.targets import Targets


def require_trained(source: str, given: np.ndarray, codes: np.ndarray, targets: Targets) -> None:
    """Check that there is something to train on, and that it has every label of the sets that the source brings.

    Args:
        source: where the samples come from, for people.
        given: uint8 [N], the split that the source itself says, or `UNASSIGNED`.
        codes: uint8 [N], the split that each row gets.
        targets: of all rows, as the task has read them.

    Raises:
        DataError: nothing is trained on, or a label is not.
    """
    training = codes == Split.TRAIN
    if not training.any():
        raise DataError(
            f"all {len(codes):,} samples of {source} are for validation or test, but some must be trained on; correct "
            "what says the splits, or leave it out"
        )
    if targets.values.ndim != 1:
        return
    brought = (given != UNASSIGNED) & (codes != Split.TRAIN) & (codes != LEFT_OUT)
    unknown = np.setdiff1d(targets.values[brought], targets.values[training])
    if len(unknown):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise DataError(
            f"{source} has the label `{targets.names[int(unknown[0])]}`{more} for validation or test, but not in "
            "train; add it there, or remove its samples"
        )

"""k-fold cross-validation with repeats: every sample is held out once in each repeat (Kohavi, IJCAI 1995)."""

from collections.abc import Sequence

import numpy as np

from graft.core.errors import DataError
from graft.core.seeds import derive_seed
from graft.data.splits.groups import Groups, deal_groups


def fold_codes(
    strata: np.ndarray, groups: Sequence[str | None] | None, folds: int, repeats: int, seed: int
) -> np.ndarray:
    """Which fold each row is held out in.

    Folds are of one size and have like shares of every stratum, as far as whole groups allow; no group lies in two
    folds of a repeat.

    Args:
        strata: int64 [N], the stratum of each row, or uint8 [N, L], its labels.
        groups: what rows have in common; None for nothing.
        folds: how many, at least 2.
        repeats: how often rows are dealt out anew.
        seed: root seed.

    Returns:
        int64 [repeats, N].

    Raises:
        DataError: there are fewer rows, or groups, than folds.
    """
    found = Groups.of([None] * len(strata) if groups is None else groups)
    if len(found) < folds:
        what = "samples" if groups is None else "groups"
        raise DataError(
            f"search.evaluation.folds is {folds}, but there are {len(found)} {what} to train on and to validate with; "
            "lower it"
        )
    shares = [1 / folds] * folds
    dealt = [
        deal_groups(strata, found, shares, derive_seed(seed, "folds", repeat), keeps_alone=False)
        for repeat in range(repeats)
    ]
    return np.stack(dealt)

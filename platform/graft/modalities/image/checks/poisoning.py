"""Images with a small constant patch that predicts their label."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.modalities.image.checks.patches import find_patches
from graft.modalities.image.info import PIXELS
from graft.spec.checks.labels import PatchCheck

MOST = 5_000
_FEWEST = 100


def poisoned_patches(spec: PatchCheck, examined: Examined) -> Iterator[Found]:
    """Images with such a patch; of many images a part is looked at."""
    column, targets = examined.columns.get(PIXELS), examined.targets
    if not isinstance(column, np.ndarray) or targets.ndim != 1 or targets.dtype.kind not in "iu":
        return
    rows = np.sort(np.argsort(examined.digests, kind="stable")[:MOST])
    if len(rows) < _FEWEST:
        return
    found = find_patches(np.asarray(column[rows]), targets[rows].astype(np.int64))
    if not found:
        return
    told = [
        f"a patch from {patch.box[:2]} to {patch.box[2:]} of the stored {column.shape[2]} x {column.shape[1]} pixels "
        f"is in {len(patch.rows)} images, {patch.purity:.0%} of them {examined.names[patch.label]}"
        for patch in found
    ]
    suspects = np.unique(np.concatenate([rows[patch.rows] for patch in found])).astype(np.int64)
    yield Found("poisoning_suspect", suspects, detail="; ".join(told))

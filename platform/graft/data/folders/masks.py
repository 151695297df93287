"""Folders that hold pictures and what is drawn over them: no two classes. Pure."""

import os
from collections.abc import Sequence

from graft.data.folders.ambiguous import AS_LABELS
from graft.data.folders.paths import SampleFiles
from graft.data.folders.readings import either, ignoring, listed, named
from graft.data.folders.tree import Folder, Tree

_OVER = frozenset(
    {
        *("mask", "masks", "seg", "segs", "segmentation", "segmentations", "segmentationclass", "segmentationobject"),
        *("annotation", "annotations", "label", "labels", "gt", "groundtruth", "ground_truth", "depth", "edges"),
        *("heatmap", "heatmaps", "overlay", "overlays", "trimap", "trimaps", "target", "targets"),
    }
)
_FEWEST = 3


def check_masks(tree: Tree, parent: Folder, samples: SampleFiles) -> None:
    """Refuse a folder `masks` whose samples are called as those of another: both show the same.

    Raises:
        DataError: there is one; both readings.
    """
    folders = parent.filled
    for over in folders:
        if over.name.casefold().replace("-", "_") not in _OVER or len(over.samples) < _FEWEST:
            continue
        stems = _stems(over)
        shown = next((one for one in folders if one is not over and stems <= _stems(one)), None)
        if shown is not None:
            raise either(
                f"{tree.at(parent.path)} has the folders {listed([named(shown), named(over)])}, with {samples.noun} of "
                "the same names",
                f"what lies in {named(over)} is drawn over the others, which graft does not learn",
                f"sort those of {named(shown)} into one folder for each class, and leave the rest out with "
                f"{ignoring([over.name])}",
                "they are classes",
                AS_LABELS,
            )


def _stems(folder: Folder) -> set[str]:
    return {_plain(os.path.splitext(name)[0]) for name in folder.samples}


def _plain(stem: str) -> str:
    """Without what is put behind the name of a mask, as in `cat_1_mask`."""
    endings: Sequence[str] = ("_mask", "-mask", "_seg", "_gt", "_label", "_segmentation")
    return next((stem.removesuffix(one) for one in endings if stem.endswith(one)), stem)

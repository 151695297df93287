"""Features that labels of images are judged by: those of a pretrained network that is not trained; small pixels where
there is hardly a picture."""

import numpy as np

from graft.data.examination.examined import Examined
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages
from graft.spec.modalities.image import ImageModality

RESOLUTION = 64
"""Side that the network sees: measured, its features tell labels apart as well as at 112 pixels, at a third."""
TINY = 16
"""Images of a smaller side are judged by their pixels."""
_BATCH = 64


def image_features(examined: Examined, rows: np.ndarray) -> np.ndarray | None:
    """float32 [n, D] of some rows; None if there are no pixels.

    Raises:
        ArtifactError: the network's weights are missing.
    """
    column = examined.columns.get(PIXELS)
    if not isinstance(column, np.ndarray):
        return None
    if column.shape[1] <= TINY:
        return np.asarray(column[rows]).reshape(len(rows), -1).astype(np.float32)
    return _of_network(column, rows)


def _of_network(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    import torch

    from graft.modalities.image.transforms import preprocess, preprocessing_of
    from graft.models.load import load_backbone
    from graft.spec.registry import build

    loaded = load_backbone(ImageModality.default_backbone, RESOLUTION)
    modality, cpu = build(ImageModality()), torch.device("cpu")
    modality.suit(loaded.backbone, cpu)
    network = modality.place(loaded.backbone, cpu)
    given = preprocessing_of(StoredImages(column.shape[1], column.shape[3]), RESOLUTION, loaded.info.input)
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), _BATCH):
            pixels = preprocess(np.asarray(column[rows[start : start + _BATCH]]), given)
            found.append(network(pixels.contiguous(memory_format=torch.channels_last)).numpy())
    return np.concatenate(found).astype(np.float32)

"""A bundle as an MLflow model: what `mlflow.pyfunc.load_model` and `mlflow models serve` call (MLflow 3.17).

The logged model holds the bundle and nothing else; MLflow imports this module and hands it the bundle's directory.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import pandas as pd

from graft.core.errors import SpecError
from graft.serving.predictor import Predictor

IMAGE_COLUMN = "image"


class BundleModel:
    """Answers tables of images with tables of labels and probabilities."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict.

        Args:
            table: a column `image` of encoded images (PNG, JPEG, …) in base64.
            params: not used; MLflow passes it.

        Returns:
            Columns `label` and `probability`; both empty for an image that cannot be read.

        Raises:
            SpecError: there is no such column, or a cell is not base64.
        """
        if IMAGE_COLUMN not in table.columns:
            there = ", ".join(map(str, table.columns))
            raise SpecError(f"the table has the columns {there}, but needs `{IMAGE_COLUMN}`")
        images = [_decode(row, cell) for row, cell in enumerate(table[IMAGE_COLUMN])]
        return self._predictor.predict_frame(images)[["label", "probability"]]


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow's entry point."""
    return BundleModel(Predictor.from_directory(Path(path)))


def _decode(row: int, cell: Any) -> bytes:
    try:
        return base64.b64decode(cell, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise SpecError(f"image of row {row} is not base64 ({error}); encode the file's bytes") from error

"""A bundle as an MLflow model: what `mlflow.pyfunc.load_model` and `mlflow models serve` call (MLflow 3.17).

The logged model holds the bundle and nothing else; MLflow imports this module and hands it the bundle's directory.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from graft.core.errors import SpecError
from graft.serving.prediction import Prediction
from graft.serving.predictor import Predictor
from graft.tracking.mlflow.invalid_input import invalid_input


class BundleModel:
    """Answers tables of samples with tables of predictions."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.inputs = predictor.modality.signature

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict.

        Args:
            table: the column of the modality: `image` (encoded images, PNG or JPEG, in base64) or `text`.
            params: not used; MLflow passes it.

        Returns:
            The task's columns: `label` and `probability`, `value`, or `labels`; empty for a sample that cannot be read.

        Raises:
            MlflowException: there is no such column, or a cell is not what it must be; a server answers 400.
        """
        with invalid_input():
            return self.table(self.answers(self.samples(table)))

    def samples(self, table: pd.DataFrame) -> list[Any]:
        """What a table asks about.

        Raises:
            SpecError: there is no such column, or a cell is not what it must be.
        """
        wanted = next(iter(self.inputs))
        if wanted not in table.columns:
            there = ", ".join(map(str, table.columns))
            raise SpecError(f"the table has the columns {there}, but needs `{wanted}`")
        return list(self._predictor.modality.from_table(list(table[wanted])))

    def answers(self, samples: Sequence[Any]) -> list[Prediction]:
        """What the model says of samples, of one table or of several."""
        return self._predictor.predict(samples)

    def table(self, found: Sequence[Prediction]) -> pd.DataFrame:
        """The table that answers another."""
        return self._predictor.frame_of(found, probabilities=False).drop(columns=["source", "error"])


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow's entry point."""
    return BundleModel(Predictor.from_directory(Path(path)))

"""A meta-model as an MLflow model: a table of labelled and unlabelled samples of one task (MLflow 3.17).

The logged model holds the meta-model and nothing else; MLflow imports this module and hands it the directory.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from graft.core.errors import SpecError
from graft.episodes.adapters.protocol import Support, probabilities, require_task
from graft.episodes.meta_model import MetaModel, read_meta_model
from graft.episodes.samples import Inputs
from graft.tracking.mlflow.invalid_input import invalid_input

LABEL, PROBABILITY = "label", "probability"


class FewShotModel:
    """Learns a task from the rows of a table that have a label, and answers those that have none.

    Args:
        model: the meta-model.
    """

    def __init__(self, model: MetaModel) -> None:
        self._shapes, self._bytes = model.spec.shapes, frozenset(model.spec.bytes)
        self._loss = model.build()

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Adapt and answer.

        Args:
            table: a column for each view of a sample (`features` of the backbone that the meta-model names, `raw`),
                each cell the JSON list of its numbers; and `label`, empty where it is asked for.
            params: not used; MLflow passes it.

        Returns:
            `label` and `probability` of every row; a row that has a label keeps it.

        Raises:
            MlflowException: a column is missing, a cell is no such list, or the labelled rows are no task.
        """
        with invalid_input():
            return self._answer(table)

    def _answer(self, table: pd.DataFrame) -> pd.DataFrame:
        if lacking := [name for name in (*self._shapes, LABEL) if name not in table.columns]:
            there = ", ".join(map(str, table.columns))
            raise SpecError(f"the table has the columns {there}, but needs `{lacking[0]}`")
        labels = table[LABEL].where(table[LABEL].notna(), "").astype(str).to_numpy(object)
        is_told = labels != ""
        inputs = {name: self._view(name, table[name].tolist()) for name in self._shapes}
        names, codes = np.unique(labels[is_told].astype(str), return_inverse=True)
        known = torch.from_numpy(codes.astype(np.int64))
        require_task(known, len(names))
        sure = np.ones(len(labels))
        if (~is_told).any():
            support, asked = Support(_at(inputs, is_told), known, len(names)), _at(inputs, ~is_told)
            found = probabilities(self._loss.start, self._loss.adapter, support, asked)
            labels[~is_told] = names[found.argmax(dim=1).numpy()]
            sure[~is_told] = found.amax(dim=1).numpy()
        return pd.DataFrame({LABEL: labels, PROBABILITY: sure})

    def _view(self, name: str, cells: Sequence[Any]) -> Tensor:
        shape, is_bytes = self._shapes[name], name in self._bytes
        try:
            found = torch.tensor([json.loads(cell) for cell in cells], dtype=torch.uint8 if is_bytes else torch.float32)
            return found.reshape(len(cells), *shape)
        except (ValueError, TypeError, RuntimeError) as error:
            what = "whole numbers from 0 to 255" if is_bytes else "numbers"
            told = f"`{name}` must be the JSON list of {int(np.prod(shape))} {what} in every row"
            raise SpecError(f"{told}, but is not ({str(error)[:80]})") from error


def _at(inputs: Inputs, rows: np.ndarray) -> Inputs:
    return {name: view[torch.from_numpy(rows)] for name, view in inputs.items()}


def _load_pyfunc(path: str) -> FewShotModel:
    """MLflow's entry point."""
    return FewShotModel(read_meta_model(Path(path)))

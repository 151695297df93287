"""MLflow's scoring server around any function of a table: what `mlflow models serve` answers (MLflow 3.17)."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from graft.tracking.environment import settle_environment
from graft.tracking.mlflow.registration import signature_of

settle_environment()

import mlflow.pyfunc  # noqa: E402  (its import reads the environment)
from mlflow.models import Model  # noqa: E402
from mlflow.pyfunc.scoring_server import init  # noqa: E402

TIMEOUT = "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"
"""Variable of the server's process: seconds, after which it answers 504."""

_Table = pd.DataFrame


def scoring_server(answer: Callable[[_Table], _Table], inputs: Mapping[str, str]) -> Any:
    """The application that `mlflow models serve` runs, as ASGI: ``/invocations``, ``/ping``, ``/health``, ``/version``.

    Args:
        answer: called in a thread for each request, with its table, and raises MLflow's exceptions.
        inputs: column -> MLflow's type of the table that is sent; other tables are refused.
    """
    flavour = {"loader_module": __name__, "python_version": "3"}
    model = Model(signature=signature_of(inputs), flavors={mlflow.pyfunc.FLAVOR_NAME: flavour})
    return init(mlflow.pyfunc.PyFuncModel(model, _Answering(answer)))


class _Answering:
    """What MLflow holds to be a model."""

    def __init__(self, answer: Callable[[_Table], _Table]) -> None:
        self._answer = answer

    def predict(self, table: _Table, params: dict[str, Any] | None = None) -> _Table:
        return self._answer(table)

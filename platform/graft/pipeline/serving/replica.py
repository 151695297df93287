"""A replica of a service: a model in a process of Ray Serve's (2.60), which answers as `mlflow models serve` does."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ray import serve

from graft.core.storage import Home
from graft.experiments.find_bundle import find_bundle
from graft.pipeline.serving.body_limit import LimitedBody
from graft.pipeline.serving.one_at_a_time import OneAtATime
from graft.serving.mlflow_model import BundleModel
from graft.serving.prediction import Prediction
from graft.serving.predictor import Predictor
from graft.spec.service import ServiceSpec
from graft.tracking.mlflow.invalid_input import invalid_input
from graft.tracking.mlflow.scoring import scoring_server

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Asked:
    """The samples of a request, and how much of a batch they fill: more than all of it they cannot."""

    samples: list[Any]
    size: int


def _size(requests: Sequence[_Asked]) -> int:
    return sum(one.size for one in requests)


@serve.ingress()
class Answers:
    """Loads its model once, and answers several requests together.

    Args:
        model: of the service, by an address that does not move.
        service: what the service is told.
    """

    def __init__(self, model: str, service: ServiceSpec) -> None:
        self._service = service
        self._model = BundleModel(Predictor.from_directory(find_bundle(model, Home.find(service.home))))
        self._computing = OneAtATime()
        self._loop = asyncio.get_running_loop()
        # MLflow's server reads and answers each request in a thread of the default pool, which has a handful.
        self._loop.set_default_executor(ThreadPoolExecutor(ongoing(service)))
        self._together.set_max_batch_size(service.batch_size)
        self._together.set_batch_wait_timeout_s(service.batch_wait_ms / 1000)

    def __serve_build_asgi_app__(self) -> Any:
        """The application that this replica runs, once its model is there."""
        return LimitedBody(scoring_server(self._answer, self._model.inputs), self._service.body_mb * 1_000_000)

    def check_health(self) -> None:
        """Asked by Ray Serve every few seconds; a replica that raises is replaced.

        Raises:
            ResourceError: it can compute no more.
        """
        self._computing.check()

    def _answer(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """In a thread of the request: a table that cannot be read does not reach the batch of others."""
        with invalid_input():
            samples = self._model.samples(table)
            size = max(1, min(len(samples), self._service.batch_size))
            together = asyncio.run_coroutine_threadsafe(self._together(_Asked(samples, size)), self._loop)
            return self._model.table(together.result())

    @serve.batch(batch_size_fn=_size)  # type: ignore[untyped-decorator]
    async def _together(self, requests: list[_Asked]) -> list[list[Prediction]]:
        samples = [sample for one in requests for sample in one.samples]
        found = iter(await self._computing.run(lambda: self._model.answers(samples)))
        return [[next(found) for _ in one.samples] for one in requests]


def ongoing(service: ServiceSpec) -> int:
    """Requests that a replica has at once: a batch that is computed, and one that fills up meanwhile."""
    return 2 * service.batch_size

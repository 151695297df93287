"""Computes features through Ray Data: a pool of actors that each load the network once, rows back in order."""

import contextlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import ray.data
import ray.exceptions
from ray.data import ActorPoolStrategy, DataContext
from ray.data.exceptions import ExecutionTimeoutError

from graft.core import errors
from graft.core.errors import GraftError, ResourceError
from graft.data.feature_store.features import ExtractorFactory

NO_PROGRESS_TIMEOUT_S = 300
"""Ray Data without a free CPU waits silently; after this long it is an error."""


@dataclass(frozen=True)
class Pool:
    """The actors that compute.

    Attributes:
        actors: at most so many; fewer while the cluster has no room for more.
        cpus: of each; Ray gives torch as many threads.
        gpus: of each.
    """

    actors: int
    cpus: float = 1.0
    gpus: float = 0.0

    @classmethod
    def for_cluster(cls) -> "Pool":
        """An actor for each GPU of the running Ray, or, where it has none, for each CPU."""
        has = ray.cluster_resources()
        if gpus := int(has.get("GPU", 0)):
            return cls(gpus, cpus=1.0, gpus=1.0)
        return cls(max(int(has.get("CPU", 1)), 1))

    def strategy(self, batches: int) -> ActorPoolStrategy:
        """Starts as many actors as have room now, because Ray Data adds the others slowly; never waits for all."""
        free = ray.available_resources()
        room = free.get("CPU", 0.0) // self.cpus if self.cpus else float(self.actors)
        if self.gpus:
            room = min(room, free.get("GPU", 0.0) // self.gpus)
        most = max(min(self.actors, batches), 1)
        return ActorPoolStrategy(min_size=1, max_size=most, initial_size=max(min(most, int(room)), 1))


class RayProduce:
    """A `Produce` for the feature store; Ray must have been initialised.

    Args:
        factory: makes what computes the features, once in each actor; an image array should travel in it as an object
            reference or as the name of a memory map, not as values.
        batch_size: rows that are computed at once.
        pool: the actors; None suits the cluster.
    """

    def __init__(self, factory: ExtractorFactory, batch_size: int, pool: Pool | None = None) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, but must be >= 1")
        self._factory = factory
        self._batch_size = batch_size
        self._pool = pool

    def __call__(self, start: int, stop: int) -> Iterable[np.ndarray]:
        """Chunks of features in the order of the rows, streamed; closing it stops the actors.

        Raises:
            ResourceError: Ray has no CPU, memory or disk for it.
            GraftError: what the extractor raised of graft's own errors.
        """
        return self._blocks(start, stop, self._pool or Pool.for_cluster())

    def _blocks(self, start: int, stop: int, pool: Pool) -> Generator[np.ndarray, None, None]:
        if start >= stop:
            return
        due = start
        with _ray_errors_are_ours(), DataContext.current(_context()):
            blocks = self._dataset(start, stop, pool).iter_batches(
                batch_size=None, batch_format="numpy", prefetch_batches=1
            )
            for block in blocks:
                rows = block["row"]
                if block["error"][0]:
                    raise _error_of(block["error"][0], block["reason"][0])
                if not np.array_equal(rows, np.arange(due, due + len(rows))):
                    raise RuntimeError(f"Ray Data returned rows {rows[:3]} where row {due} was due")
                yield block["features"]
                due += len(rows)
        if due != stop:
            raise RuntimeError(f"Ray Data returned rows up to {due} instead of {stop}")

    def _dataset(self, start: int, stop: int, pool: Pool) -> ray.data.Dataset:
        firsts = range(start, stop, self._batch_size)
        ranges = [{"start": first, "stop": min(first + self._batch_size, stop)} for first in firsts]
        return ray.data.from_items(ranges, override_num_blocks=len(ranges)).map_batches(
            _Extractor,
            fn_constructor_args=(self._factory,),
            batch_size=None,
            batch_format="numpy",
            compute=pool.strategy(len(ranges)),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
        )


class _Extractor:
    """One actor's part. Errors travel as values: Ray keeps only the text of what is raised here, and the actor with it,
    and its CPU, for as long as anybody keeps the error."""

    def __init__(self, factory: ExtractorFactory) -> None:
        self._error: Exception | None = None
        try:
            self._extract = factory()
        except Exception as error:
            self._error = error

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        if self._error is not None:
            return _failed(self._error)
        bounds = list(zip(batch["start"].tolist(), batch["stop"].tolist(), strict=True))
        try:
            features = np.concatenate([self._extract(start, stop) for start, stop in bounds])
        except Exception as error:
            return _failed(error)
        rows = np.concatenate([np.arange(start, stop) for start, stop in bounds])
        nothing = np.full(len(rows), "", dtype=object)
        return {"row": rows, "features": features, "error": nothing, "reason": nothing}


def _failed(error: Exception) -> dict[str, Any]:
    return {
        "row": np.array([-1]),
        "features": np.zeros((1, 1), np.float32),
        "error": np.array([type(error).__name__], dtype=object),
        "reason": np.array([str(error)], dtype=object),
    }


def _error_of(name: str, reason: str) -> Exception:
    """What an extractor raised, if it is one of graft's own errors; any other may not exist in this process."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, GraftError):
        return kind(reason)
    return RuntimeError(f"features cannot be computed ({name}: {reason})")


def _context() -> DataContext:
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = NO_PROGRESS_TIMEOUT_S
    context.execution_options.preserve_order = True
    return context


@contextlib.contextmanager
def _ray_errors_are_ours() -> Generator[None, None, None]:
    out_of = (ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError)
    try:
        yield
    except ExecutionTimeoutError as error:
        raise ResourceError(
            f"Ray computed no features for {NO_PROGRESS_TIMEOUT_S} s, but needs a free CPU; stop other work on it"
        ) from error
    except out_of as error:
        first = str(error).strip().partition("\n")[0]
        raise ResourceError(
            f"Ray ran out of memory or disk while computing features ({first}); free some and try again"
        ) from error

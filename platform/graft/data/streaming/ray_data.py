"""How graft runs Ray Data where it decodes samples, and what its errors mean to a user."""

import contextlib
from collections.abc import Iterator

import ray.exceptions
from ray.data import DataContext
from ray.data.exceptions import ExecutionTimeoutError

from graft.core.errors import DataError, ResourceError
from graft.core.passing_errors import is_used_up, used_up

NO_PROGRESS_TIMEOUT_S = 300
"""Ray Data without a free CPU waits silently; after this long it is an error."""


def decoding_context() -> DataContext:
    """Settings of a pipeline: blocks in order, errors as they were raised, and no silent waiting."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True  # what Ray makes of it loses what was raised
    context.execution_no_progress_timeout_s = NO_PROGRESS_TIMEOUT_S
    context.execution_options.preserve_order = True
    return context


@contextlib.contextmanager
def ray_errors_are_ours() -> Iterator[None]:
    """Turn what Ray raises into errors of ours.

    Raises:
        ResourceError: Ray has no CPU, memory or disk; or the machine is to blame for what a sample lacks.
        DataError: a sample is to blame.
    """
    out_of = (ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError)
    try:
        yield
    except ExecutionTimeoutError as error:
        raise ResourceError(
            f"Ray decoded nothing for {NO_PROGRESS_TIMEOUT_S} s, but needs one free CPU; stop other work on the cluster"
        ) from error
    except out_of as error:
        first = str(error).strip().partition("\n")[0]
        raise ResourceError(
            f"Ray ran out of memory or disk while decoding ({first}); free some and try again"
        ) from error
    except ray.exceptions.RayTaskError as error:
        raised = error.cause
        if isinstance(raised, DataError | ResourceError):
            raise type(raised)(str(raised).partition("\n")[0]) from error  # Ray adds lines of its own
        if is_used_up(raised):
            raise used_up("a sample", raised) from error
        raise

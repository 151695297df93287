"""What a scoring server of MLflow must be told, so that it answers 400 with our sentence (MLflow 3.17)."""

from collections.abc import Iterator
from contextlib import contextmanager

from graft.core.errors import DataError, SpecError
from graft.tracking.environment import settle_environment

settle_environment()

from mlflow.exceptions import MlflowException  # noqa: E402  (its import reads the environment)


@contextmanager
def invalid_input() -> Iterator[None]:
    """Of anything else but its own exceptions MLflow says that an unexpected error has been encountered.

    Raises:
        MlflowException: what has been sent cannot be used; in the words of the `SpecError` that said so.
    """
    try:
        yield
    except (SpecError, DataError) as error:
        raise MlflowException.invalid_parameter_value(str(error)) from error

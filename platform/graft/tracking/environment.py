"""The settings under which graft uses MLflow, in every process that does."""

import os
from collections.abc import Mapping

# No pickle is ever loaded, nothing is sent home, and a call to a server that is down fails within seconds instead of
# blocking for the four minutes of MLflow's default: the relay retries by itself.
_EVERYWHERE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# An internal retry of "create run" whose first answer was lost makes a second run; the relay's own retry looks first.
_RELAY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def settled() -> Mapping[str, str]:
    """The settings for a process that graft starts."""
    return _EVERYWHERE


def relay_settings() -> Mapping[str, str]:
    """The settings for a relay process."""
    return {**_EVERYWHERE, **_RELAY}


def settle_environment() -> None:
    """Set, in this process, what the user has not set; must run before ``import mlflow``, which starts telemetry."""
    for name, value in _EVERYWHERE.items():
        os.environ.setdefault(name, value)

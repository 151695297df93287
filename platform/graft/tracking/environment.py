"""The settings under which graft uses MLflow, in every process that does."""

import os
import re
import site
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

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


# Variables of a user's shell that say how to reach a store and log in to it. All others say which store, which
# experiment, which run, and how it is recorded, and in a process of graft's own that is for the job to say.
_WAY_TO_STORE = re.compile(
    r"MLFLOW_(TRACKING_(USERNAME|PASSWORD|TOKEN|AUTH|AWS_SIGV4|INSECURE_TLS|\w+_CERT_PATH)|(ENABLE_)?WORKSPACES?|"
    r"(S3|BOTO|GCS|KERBEROS|PYARROW|MYSQL|HTTP|SQLALCHEMYSTORE|MULTIPART|UC|DATABRICKS)_\w+|\w*(DATABRICKS|UC_)\w*|"
    r"(ENABLE_\w*MULTIPART|ARTIFACT_UPLOAD)_\w+|ALLOW_HTTP_REDIRECTS|TMP_DIR|DFS_TMP)"
)


def settled() -> Mapping[str, str]:
    """The settings for a process that graft starts."""
    return _EVERYWHERE


def relay_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment of a relay process but for its store."""
    kept = {name: value for name, value in environment.items() if not _is_mlflow(name) or _WAY_TO_STORE.fullmatch(name)}
    return {**kept, **_EVERYWHERE, **_RELAY, **_search_path(environment)}


def server_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment of a server on the embedded store, which needs no way to another."""
    kept = {name: value for name, value in environment.items() if not _is_mlflow(name)}
    return {**kept, **_EVERYWHERE, **_search_path(environment)}


def python_module(name: str) -> tuple[str, ...]:
    """The command that runs a module in a process of graft's own; see `_search_path`."""
    return (sys.executable, "-P", "-m", name)


def _is_mlflow(name: str) -> bool:
    return name.removeprefix("_").startswith("MLFLOW_")


def _search_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Where such a process, and any that it starts, finds modules: as `graft` itself does.

    Packages of others are found by PYTHONPATH, and what happens to lie in the working directory is not, however a
    process was started. Where graft is not installed, its own source comes first.
    """
    source_root = str(Path(__file__).parents[2])
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()}
    given = environment.get("PYTHONPATH", "")
    paths = [given] if source_root in installed else [source_root, given]
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONSAFEPATH": "1"}


def settle_environment() -> None:
    """Set, in this process, what the user has not set; must run before ``import mlflow``, which starts telemetry."""
    for name, value in _EVERYWHERE.items():
        os.environ.setdefault(name, value)

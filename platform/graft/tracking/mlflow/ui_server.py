"""The process behind `graft ui`: MLflow's application, behind the gate, on the loopback interface (MLflow 3.17).

``GRAFT_UI_TOKEN=… python -m graft.tracking.mlflow.ui_server --uri URI --artifact-root DIR --port PORT``

It ends when its standard input does: a command that was killed closes it, and leaves no server behind.

One process instead of the fifteen of ``mlflow server``, and only the application that shows runs, models and files: no
assistant, gateway or job runner.
"""

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from graft.core.uris import file_uri
from graft.tracking.environment import settle_environment
from graft.tracking.server import loopback_server
from graft.tracking.ui import TOKEN_VARIABLE
from graft.tracking.ui_gate import Gate, GatedApplication


def gated_application(uri: str, artifact_root: Path, gate: Gate) -> GatedApplication:
    """MLflow's application on a store, behind a gate; once in a process, because MLflow keeps its store globally."""
    settle_environment()
    # What `mlflow server` hands to its workers; the application reads it when it is imported.
    from mlflow.server import constants

    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = uri
    os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = uri
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = file_uri(artifact_root)
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    from mlflow.server import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(uri, uri, os.environ[constants.ARTIFACT_ROOT_ENV_VAR])
    return GatedApplication(app, gate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is ended, or nobody holds its standard input open any more."""
    options = _parser().parse_args(arguments)
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if not token:
        print(f"{TOKEN_VARIABLE} is not set; start this by `graft ui`", file=sys.stderr)  # noqa: T201
        return 2
    threading.Thread(target=_end_with_input, name="graft-ui-end", daemon=True).start()
    application = gated_application(options.uri, options.artifact_root, Gate(token, options.port))
    loopback_server(application, options.port).serve_forever()
    return 0


def _end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m graft.tracking.mlflow.ui_server", description="Serve the MLflow UI."
    )
    parser.add_argument("--uri", required=True, help="tracking store")
    parser.add_argument("--artifact-root", type=Path, required=True, help="directory for artifacts")
    parser.add_argument("--port", type=int, required=True, help="port on the loopback interface")
    return parser


if __name__ == "__main__":
    sys.exit(main())

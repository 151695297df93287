"""A job holds no password, token or key: it is kept, logged, and shown by a tracking store to everybody."""

from collections.abc import Iterator, Mapping
from typing import Any

from graft.core.credentials import credential_in
from graft.spec.messages.rules import Finding, Path

_TRACKING = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN) in the environment instead "
    "(for PostgreSQL without a server, PGPASSWORD)"
)
_ELSEWHERE = "give it in the environment, or in the configuration file of the service, instead"


def credential_findings(raw: Any, path: Path = ()) -> Iterator[Finding]:
    """The addresses in a raw job that hold a credential, by their keys."""
    if isinstance(raw, Mapping):
        for key, inner in raw.items():
            yield from credential_findings(inner, (*path, str(key)))
    elif isinstance(raw, list | tuple):
        for index, inner in enumerate(raw):
            yield from credential_findings(inner, (*path, index))
    elif isinstance(raw, str) and (found := credential_in(raw)) is not None:
        instead = _TRACKING if path[:1] == ("tracking",) else _ELSEWHERE
        yield Finding(path, f"holds {found}, but must not, because jobs are kept and logged; {instead}")

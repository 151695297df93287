"""Names and addresses that a tracking store can have: what MLflow, its database and its URIs together allow."""

import unicodedata
import urllib.parse
from importlib.metadata import entry_points
from pathlib import Path

from graft.core.uris import sqlite_extras, sqlite_path

DEFAULT_EXPERIMENT = "Default"
_EXAMPLE = "such as sqlite:////path/mlflow.db or http://host:5000; leave it out for the embedded store"
_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})
_SERVERS = frozenset({"http", "https"})
# Joiners shape letters of Persian and Indic scripts and hold emoji together; all else that cannot be seen misleads.
_JOINERS = "\u200c\u200d"


def experiment_name_problem(name: str) -> str | None:
    """The rule that the name of an MLflow experiment breaks, if any."""
    if problem := _text_problem(name):
        return problem
    if set(name.split("/")) & {".", ".."} or not name.strip("."):
        return "must be a name without `.` or `..` as a part"
    return None


def model_name_problem(name: str) -> str | None:
    """The rule that the name of a registered model breaks, if any."""
    if problem := _text_problem(name):
        return problem
    # The first two MLflow refuses; the third ends the path of a `models:/` URI, so that nobody could load the model.
    if any(sign in name for sign in "/:?"):
        return "must be a name without `/`, `:` and `?`"
    if name == "." or name.startswith(".."):
        return "must be a name that is no `.` and does not begin with `..`"
    return None


def store_address_problem(uri: str) -> str | None:
    """The rule that the address of a tracking store breaks, if any."""
    if any(sign.isspace() for sign in uri):
        return "must be the address of an MLflow store, such as http://host:5000; a space in a path is %20"
    database = sqlite_path(uri)
    if database is not None:
        return _sqlite_problem(uri, database)
    scheme = _scheme(uri)
    if scheme == "file":
        return "must not be a `file:` address, because MLflow has no file store any more; use sqlite:////path"
    if scheme in ("databricks", "databricks-uc"):
        return None
    if "://" not in uri:
        return f"must be a URI {_EXAMPLE}"
    if scheme not in _DATABASES | _SERVERS | _plugins():
        return f"must begin with http, https or the name of a database, {_EXAMPLE}"
    return _server_problem(uri) if scheme in _SERVERS else None


def is_database(uri: str) -> bool:
    """Whether the store is a database without a server in front."""
    return _scheme(uri) in _DATABASES


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].partition("+")[0].lower()


def _plugins() -> set[str]:
    return {point.name for point in entry_points(group="mlflow.tracking_store")}


def _server_problem(uri: str) -> str | None:
    try:
        parts = urllib.parse.urlsplit(uri)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    return None if named else "must name a host, and as port a number, such as http://host:5000"


def _sqlite_problem(uri: str, database: Path) -> str | None:
    host, options = sqlite_extras(uri)
    if not host and database == Path():
        return "must name a file, because a database in memory ends with each process; write sqlite:////path"
    if host or not database.is_absolute():
        path = Path(host, *database.parts[database.is_absolute() :]).absolute()
        return f"must be absolute; write sqlite:///{urllib.parse.quote(str(path))}"
    if "uri" in urllib.parse.parse_qs(options):
        return "must not have the option `uri`; write sqlite:////path"
    return None


def _text_problem(name: str) -> str | None:
    if not name.strip() or name != name.strip():
        return "must be a name without spaces around it"
    if any(_is_invisible(sign) for sign in name):
        return "must be a name without control and invisible characters"
    return None


def _is_invisible(sign: str) -> bool:
    return sign not in _JOINERS and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")

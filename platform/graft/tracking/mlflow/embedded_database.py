"""A tracking store that is a SQLite file: made whole or not at all, and made anew where a half of one was left."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sqlalchemy.exc import SQLAlchemyError

from graft.core.errors import TrackingError
from graft.core.private_files import close_to_others, open_private
from graft.core.uris import file_uri, sqlite_uri
from graft.journal.locking import exclusive
from graft.tracking.environment import settle_environment
from graft.tracking.mlflow.failures import first_line, is_busy

settle_environment()

from mlflow import MlflowClient  # noqa: E402  (its import reads the environment)
from mlflow.exceptions import MlflowException  # noqa: E402

_LOG = logging.getLogger(__name__)

# What somebody would miss.
_KEPT = ("runs", "registered_models", "logged_models", "trace_info")


# Where MLflow keeps whole addresses of files.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def open_database(uri: str, database: Path, artifact_root: Path | None = None) -> Any:
    """MLflow's client for a SQLite file; one process at a time makes its tables, and readers do not block the writer.

    Args:
        uri: of the file, for SQLAlchemy.
        database: the file.
        artifact_root: where its files lie now, if they moved with it.

    Raises:
        TrackingError: it can never be used like this.
        MlflowException: another process has it locked.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(database.with_name(f".{database.name}.lock")):
            if not database.exists() or not database.stat().st_size:
                _make(database)
            elif _is_half_made(database):
                _put_aside(database)
                _make(database)
            # Asked first, because MLflow tries for a minute to open what is no database.
            _close(database)
            _write_ahead(database)
            client = MlflowClient(uri, registry_uri=uri)
            if artifact_root is not None:
                _follow(database, artifact_root.absolute())
            return client
    except (OSError, sqlite3.Error) as error:
        raise TrackingError(f"tracking database {database} cannot be used ({error}); choose another --home") from error
    except (MlflowException, SQLAlchemyError) as error:
        if is_busy(error):
            raise
        raise TrackingError(
            f"tracking database {database} cannot be opened ({first_line(error)}); if another version of MLflow "
            f"wrote it, back it up and run `mlflow db upgrade '{uri}'`; else move it away, and `graft track sync` "
            "makes it anew from the journals"
        ) from error


def _follow(database: Path, root: Path) -> None:
    """Have files be looked for where their home is now: MLflow keeps whole addresses, and a home may be moved.

    What lies where its address says, in a place that is not this one, stays as it is.
    """
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        locations = [one for (one,) in connection.execute("SELECT artifact_location FROM experiments")]
        for before in sorted({str(one).rpartition("/")[0] for one in locations if _has_moved(str(one), root)}):
            _LOG.info("files of %s are in %s now", before, root)
            for table, column in _ADDRESSES:
                statement = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
                beginning = f"{before}/"
                now = f"{file_uri(root)}/", len(beginning) + 1
                connection.execute(statement, (*now, len(beginning), beginning))


def _has_moved(location: str, root: Path) -> bool:
    """Whether the files of an experiment are below `root`, and its address names another place."""
    if not location.startswith("file:"):
        return False
    place = Path(url2pathname(urlsplit(location).path))
    if place.parent.name != root.name or place.parent.resolve() == root.resolve():
        return False
    return (root / place.name).is_dir() or not place.exists()


def _make(database: Path) -> None:
    """Make a new database, which is there when it is whole: MLflow cannot go on with tables it has half made."""
    fresh = database.with_name(f".{database.name}.new")
    fresh.unlink(missing_ok=True)
    os.close(open_private(fresh, os.O_RDWR))
    uri = sqlite_uri(fresh)
    MlflowClient(uri, registry_uri=uri)._tracking_client.store.engine.dispose()
    fresh.replace(database)


def _is_half_made(database: Path) -> bool:
    """Whether a process died while it made the tables: they are not those of this MLflow, and nothing is in them."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if any(connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in _KEPT if name in tables):
            return False
        if "experiments" in tables and connection.execute("SELECT COUNT(*) FROM experiments").fetchone()[0] > 1:
            return False
        versions = connection.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else ()
        return [version for (version,) in versions] != [_latest()]


def _latest() -> str:
    """The version of the tables that the installed MLflow makes."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())


def _put_aside(database: Path) -> None:
    place = database.with_name(f"{database.name}.half-made")
    _LOG.warning(
        "tracking database %s was half made when its process died; it is made anew, that one is %s",
        database,
        place.name,
    )
    for companion in ("-wal", "-shm"):
        database.with_name(f"{database.name}{companion}").unlink(missing_ok=True)
    database.replace(place)


def _close(database: Path) -> None:
    """SQLite gives the files beside the database the database's own mode."""
    if not database.exists():
        os.close(open_private(database, os.O_RDWR))
    for companion in ("", "-wal", "-shm"):
        close_to_others(database.with_name(f"{database.name}{companion}"))


def _write_ahead(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        # While someone else has it open the mode cannot change; it works without, only with longer waits.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=wal")

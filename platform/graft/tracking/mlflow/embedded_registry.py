"""Versions of registered models as the home's own database has them, without MLflow, whose import takes seconds.

The tables are those of MLflow's SQL store. Where they are others, or hold no such version, nothing is said: MLflow is
asked then, which also knows how to say that there is none.
"""

import contextlib
import sqlite3
from pathlib import Path

from graft.core.uris import sqlite_uri
from graft.tracking.model_uri import CHAMPION, ModelUri

_VERSIONS = "SELECT version FROM model_versions WHERE name = ? AND current_stage != 'Deleted_Internal'"
_ALIASES = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"


def version_in(database: Path, wanted: ModelUri) -> str | None:
    """The number of the version that is meant; None where the database does not say.

    Args:
        database: SQLite file of the embedded store.
        wanted: by its number, its alias, or the name alone, which is the champion, else the newest.
    """
    try:
        with contextlib.closing(sqlite3.connect(sqlite_uri(database, read_only=True), uri=True)) as connection:
            versions = {int(version) for (version,) in connection.execute(_VERSIONS, (wanted.name,))}
            aliases = dict(connection.execute(_ALIASES, (wanted.name,)).fetchall())
    except (sqlite3.Error, TypeError, ValueError):
        return None
    number: int | None
    if wanted.version:
        number = int(wanted.version)
    elif wanted.alias:
        number = aliases.get(wanted.alias)
    else:
        number = aliases.get(CHAMPION, max(versions, default=None))
    return str(number) if number in versions else None

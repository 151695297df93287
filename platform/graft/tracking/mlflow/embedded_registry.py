"""Versions of registered models as the home's own database has them, without MLflow, whose import takes seconds.

The tables are those of MLflow's SQL store. Where they are others, nothing is said: MLflow is asked then.
"""

import contextlib
import sqlite3
from pathlib import Path

from graft.core.uris import sqlite_uri
from graft.tracking.model_uri import HeldVersions, ModelUri, no_such_model, no_such_version

_NAMES = "SELECT name FROM registered_models"
_VERSIONS = "SELECT version FROM model_versions WHERE name = ? AND current_stage != 'Deleted_Internal'"
_ALIASES = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"


def version_in(database: Path, wanted: ModelUri) -> str | None:
    """The number of the version that is meant; None where the database does not say.

    Args:
        database: SQLite file of the embedded store.
        wanted: by its number, its alias, or the name alone, which is the champion, else the newest.

    Raises:
        SpecError: the database has no such model or version.
    """
    try:
        with contextlib.closing(sqlite3.connect(sqlite_uri(database, read_only=True), uri=True)) as connection:
            numbers = {int(version) for (version,) in connection.execute(_VERSIONS, (wanted.name,))}
            aliases = {str(alias): int(number) for alias, number in connection.execute(_ALIASES, (wanted.name,))}
            names = {wanted.name} if numbers else {str(name) for (name,) in connection.execute(_NAMES)}
    except (sqlite3.Error, TypeError, ValueError):
        return None
    store = sqlite_uri(database)
    if wanted.name not in names:
        raise no_such_model(wanted, store, names)
    held = HeldVersions(frozenset(numbers), aliases)
    number = held.number_of(wanted)
    if number not in numbers:
        raise no_such_version(wanted, store, held)
    return str(number)

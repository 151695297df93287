"""The journal's records as text: one line of strict JSON each.

``{"v": 1, "kind": "TrialStarted", "time": …, …}``. Within version 1 only new kinds and new fields may be added; a
reader ignores the ones it does not know, so an old reader survives a newer writer.
"""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from graft.core.credentials import redact
from graft.core.errors import ArtifactError
from graft.journal import events, explorations
from graft.journal.events import Event

VERSION = 1
MODULES = (events, explorations)
"""That define them."""
KINDS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}
"""All kinds of records, by the name that a line gives."""


def to_json(event: Event) -> str:
    """One line of JSON, no line end; non-finite numbers become the texts ``NaN``, ``Infinity``, ``-Infinity``."""
    record = {"v": VERSION, "kind": type(event).__name__, **asdict(event)}
    return json.dumps(_plain(record), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_json(line: str | bytes) -> Event | None:
    """The record of a line, or None if its kind is one that this version does not know.

    Raises:
        ArtifactError: it is not a record, or is of a newer version.
    """
    try:
        record = json.loads(line)
        version, kind = record["v"], record["kind"]
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"journal record {_excerpt(line)} is not a JSON record with `v` and `kind`") from error
    if not isinstance(version, int) or version > VERSION:
        raise ArtifactError(f"journal record has version {version}, but must have {VERSION} at most; update graft")
    if kind not in KINDS:
        return None
    try:
        return _adapter(kind).validate_python(record)
    except ValidationError as error:
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
        raise ArtifactError(f"journal record {_excerpt(line)} has missing or wrong fields: {fields}") from error


def is_newer(line: str | bytes) -> bool:
    """Whether a line that cannot be read is one that a newer graft has written."""
    try:
        version = json.loads(line)["v"]
    except (ValueError, TypeError, KeyError):
        return False
    return isinstance(version, int) and version > VERSION


@functools.cache
def _adapter(kind: str) -> TypeAdapter[Event]:
    return TypeAdapter(KINDS[kind])


def _plain(value: Any) -> Any:
    """Only what JSON has: numpy scalars become numbers, non-finite floats become texts; and no passwords."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, float):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return redact(value) if isinstance(value, str) else value


def _excerpt(line: str | bytes) -> str:
    text = line.decode(errors="replace") if isinstance(line, bytes) else line
    return repr(text if len(text) <= 80 else text[:77] + "...")

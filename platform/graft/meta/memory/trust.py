"""How much a record counts: who has written it, how old it is, with what libraries, and whether others agree.

All of it is decided by who reads, never by what was written: a stranger who plants records on a shared store can claim
any weight, any source and any time.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graft.meta.memory.records import TrialState
from graft.meta.memory.schema import SCORES, TASKS
from graft.spec.tasks.lookup import all_metrics

OWN, FOREIGN = 1.0, 0.5
BY_SOURCE: Mapping[str, float] = {"run": 1.0, "import": 0.7, "mlflow": 0.5, "portfolio": 0.3}
"""What a record counts for, by what stands before the colon of its source; as `mlflow` if that is nothing known."""
HALF_LIFE_S = 365 * 86_400.0
MAJOR, MINOR = 0.5, 0.9
_DECISIVE = ("graft", "torch", "timm", "torchvision", "transformers")
_DOUBTED, _SPREAD = 0.1, 0.15
_LEAST = 1e-3
_LONGEST_NAME = 500
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Reader:
    """From whose point of view records are weighed.

    Attributes:
        now: seconds since the epoch.
        versions: package -> version, of what would train now.
        half_life: seconds after which a record counts half.
    """

    now: float
    versions: Mapping[str, str] = field(default_factory=dict)
    half_life: float = HALF_LIFE_S


def weighed(table: pa.Table, is_own: np.ndarray, reader: Reader) -> pa.Table:
    """Records with the weight that each has for a reader.

    Args:
        table: records, of the schema.
        is_own: bool [N], whether the reader himself has written them.
        reader: who he is.
    """
    told = _numbers(table, "weight", 1.0)
    trust = np.clip(np.where(np.isfinite(told) & (told > 0), told, _LEAST), _LEAST, np.where(is_own, OWN, FOREIGN))
    weights = trust * _by_source(table) * _by_age(table, reader) * _by_versions(table, reader)
    weights *= _by_agreement(table, is_own)
    place = table.schema.get_field_index("weight")
    return table.set_column(place, "weight", pa.array(np.clip(weights, _LEAST, 1.0)))


def possible(kind: str, table: pa.Table) -> np.ndarray:
    """bool [N]: which entries can be what they claim: values that a model can have, texts that can be read.

    Args:
        kind: of the entries.
        table: of the schema of that kind.
    """
    length = _lengths(table, "task")
    checks = [(length > 0) & (length <= _LONGEST_NAME)]
    if kind == SCORES:
        checks += [np.isfinite(_numbers(table, "value", math.nan))]
    elif kind == TASKS:
        checks += [_are_objects(table, "meta_features", _holds_numbers), _is_from(table, "rows", 0)]
    else:
        checks += [_is_from(table, name, lowest) for name, lowest in (("epoch", 1), ("epochs", 1), ("seconds", 0))]
        checks += [_are_objects(table, name) for name in ("strategy_json", "versions")]
        checks += [_is_one_of(table, "direction", ("max", "min")), _is_one_of(table, "state", tuple(TrialState))]
        checks += [_have_values(table)]
    return np.asarray(np.logical_and.reduce(checks))


def _lengths(table: pa.Table, name: str) -> np.ndarray:
    return np.array([len(text or "") for text in table.column(name).to_pylist()], dtype=int)


def _is_one_of(table: pa.Table, name: str, known: tuple[str, ...]) -> np.ndarray:
    return np.array([text in known for text in table.column(name).to_pylist()], dtype=bool)


def _have_values(table: pa.Table) -> np.ndarray:
    """Whether a model can have the value of a record; a failed trial may have none."""
    values, present = (
        _numbers(table, "value", math.nan),
        table.column("value").is_valid().to_numpy(zero_copy_only=False),
    )
    lowest, highest = np.full(len(values), -np.inf), np.full(len(values), np.inf)
    names = np.asarray(table.column("metric").fill_null("").to_pylist(), dtype=object)
    known = {metric.name: metric for _, metric in all_metrics()}
    for name in set(names.tolist()) & set(known):
        of_it = names == name
        lowest[of_it], highest[of_it] = known[name].lowest, known[name].highest
    is_fine = np.isfinite(values) & (values >= lowest) & (values <= highest)
    failed = np.asarray(pc.equal(table.column("state"), "failed").fill_null(False))
    found: np.ndarray = np.where(present, is_fine, failed)
    return found


def _is_from(table: pa.Table, name: str, lowest: float) -> np.ndarray:
    """Whether a number is finite and not below the lowest one; so is what is not known."""
    values = _numbers(table, name, lowest)
    found: np.ndarray = np.isfinite(values) & (values >= lowest)
    return found


def _are_objects(
    table: pa.Table, name: str, holds: Callable[[dict[str, Any]], bool] = lambda found: True
) -> np.ndarray:
    """Whether texts are JSON objects; so is what is not known."""
    texts = table.column(name).to_pylist()
    fine = {text: text is None or _is_object(text, holds) for text in set(texts)}
    return np.array([fine[text] for text in texts], dtype=bool)


def _is_object(text: str, holds: Callable[[dict[str, Any]], bool]) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and holds(found)


def _holds_numbers(found: dict[str, Any]) -> bool:
    return all(isinstance(value, int | float) and math.isfinite(value) for value in found.values())


def _by_age(table: pa.Table, reader: Reader) -> np.ndarray:
    """Half after each half-life; what claims to be of the future is as old as can be told: one half-life."""
    age = reader.now - _numbers(table, "written_at", 0.0)
    age = np.where(np.isfinite(age) & (age >= -86_400), np.maximum(age, 0.0), reader.half_life)
    factors: np.ndarray = 0.5 ** (age / reader.half_life)
    return factors


def _by_versions(table: pa.Table, reader: Reader) -> np.ndarray:
    return _of_texts(table.column("versions").fill_null("{}"), lambda text: _factor(text, reader.versions))


def _by_source(table: pa.Table) -> np.ndarray:
    return _of_texts(table.column("source").fill_null(""), lambda text: BY_SOURCE.get(text.partition(":")[0], 0.5))


def _of_texts(column: pa.ChunkedArray, factor: Callable[[str], float]) -> np.ndarray:
    """A factor for each text, found once for all that are equal."""
    texts = column.to_pylist()
    factors = {text: factor(text) for text in set(texts)}
    return np.array([factors[text] for text in texts], dtype=np.float64)


def _factor(text: str, now: Mapping[str, str]) -> float:
    try:
        then = json.loads(text)
    except ValueError:
        return MAJOR
    if not isinstance(then, dict):
        return MAJOR
    factor = 1.0
    for name in _DECISIVE:
        old, new = _VERSION.match(str(then.get(name, ""))), _VERSION.match(now.get(name, ""))
        if old and new and old[0] != new[0]:
            factor *= MAJOR if old[1] != new[1] else MINOR
    return factor


def _by_agreement(table: pa.Table, is_own: np.ndarray) -> np.ndarray:
    """Less where others tell of one training what several own records of it do not."""
    factors = np.ones(len(is_own))
    if is_own.all() or not is_own.any():
        return factors
    values = _numbers(table, "value", math.nan)
    keys = [table.column(name).to_pylist() for name in ("task", "backbone", "strategy_json", "epoch", "metric")]
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, key in enumerate(zip(*keys, strict=True)):
        if key[2] is not None:
            groups.setdefault(key, []).append(place)
    for places in groups.values():
        own = [values[one] for one in places if is_own[one] and math.isfinite(values[one])]
        if own:
            middle = float(np.median(own))
            for one in places:
                if not is_own[one] and abs(values[one] - middle) > _SPREAD * max(abs(middle), 1e-9):
                    factors[one] = _DOUBTED
    return factors


def _numbers(table: pa.Table, name: str, missing: float) -> np.ndarray:
    found: np.ndarray = table.column(name).fill_null(missing).to_numpy(zero_copy_only=False).astype(np.float64)
    return found

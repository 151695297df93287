"""What machines cost: a table that the user can edit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from graft.clusters.node_types import NodeType
from graft.clusters.schema import shown
from graft.clusters.unique_yaml import documents_in
from graft.clusters.violation import advice
from graft.core.errors import Problem, SpecError

SHIPPED = "prices.yaml"
_KEYS = ("date", "currency", "startup_seconds", "machines", "node_types")
_MARKETS = ("on_demand", "spot")
_WORD = re.compile(r"[^\s\[\]{}]{1,20}")
_LONGEST_STARTUP_S, _HIGHEST_PRICE = 86_400, 1_000_000


@dataclass(frozen=True)
class Prices:
    """A table of prices.

    Attributes:
        date: of the prices, as it is written.
        currency: of all of them.
        startup_seconds: from asking for a node to a process on it.
        machines: an hour of a machine, by its name, then by `on_demand` and `spot`.
        node_types: the same by the name of a node type, for files that name no machine.
        own: what an hour of a node type costs, before all else.
    """

    date: str
    currency: str
    startup_seconds: float
    machines: Mapping[str, Mapping[str, float]]
    node_types: Mapping[str, Mapping[str, float]]
    own: Mapping[str, float] = field(default_factory=dict)

    def with_nodes(self, node_hour: Mapping[str, float]) -> "Prices":
        """The prices where some node types have one of their own, whatever machine they are."""
        return replace(self, own={**self.own, **node_hour})

    def an_hour(self, kind: NodeType) -> float | None:
        """Price of one node for an hour; None if the table does not have it."""
        if kind.name in self.own:
            return self.own[kind.name]
        found = self.machines.get(kind.machine) if kind.machine else self.node_types.get(kind.name)
        return (found or {}).get("spot" if kind.is_spot else "on_demand")

    def missing(self, kind: NodeType) -> str:
        """What to add for a node type that has no price."""
        place = f"machines: {kind.machine}" if kind.machine else f"node_types: {kind.name}"
        return f"{kind.name} has no {'spot' if kind.is_spot else 'on_demand'} price; add {place} to the price table"


def shipped_text() -> str:
    """The table that comes with graft, comments included, to be edited."""
    return files("graft.clusters").joinpath(SHIPPED).read_text(encoding="utf-8")


def read_prices(path: Path | None = None) -> Prices:
    """A user's table, or the one that comes with graft.

    Raises:
        SpecError: it cannot be read, or holds something else than prices; all problems at once.
    """
    if path is None:
        return _prices_of(yaml.safe_load(shipped_text()), SHIPPED)
    documents = documents_in(path, "a price table")
    return _prices_of(documents[0] if len(documents) == 1 else documents, str(path))


def _prices_of(found: Any, file: str) -> Prices:
    if not isinstance(found, dict):
        raise SpecError(
            [Problem("", f"is no mapping, but must have {', '.join(_KEYS)}; see `graft cluster prices`", file)]
        )
    problems = [
        Problem(str(key), f"is not known; {advice(str(key), _KEYS)}", file) for key in found if key not in _KEYS
    ]
    for key in ("date", "currency"):
        if not found.get(key):
            problems.append(Problem(key, "is missing; write it", file))
        elif not _WORD.fullmatch(str(found[key])):
            told = f"is {shown(found[key])}, but must be a word of at most 20 characters"
            problems.append(Problem(key, f"{told}; mend it", file))
    startup = found.get("startup_seconds", 0)
    if not _is_amount(startup, _LONGEST_STARTUP_S):
        told = f"is {shown(startup)}, but must be seconds >= 0 and at most a day"
        problems.append(Problem("startup_seconds", f"{told}; mend it", file))
    tables = {name: found.get(name) or {} for name in ("machines", "node_types")}
    for name, table in tables.items():
        problems += _table_problems(name, table, file)
    if problems:
        raise SpecError(problems)
    return Prices(str(found["date"]), str(found["currency"]), float(startup), **tables)


def _table_problems(name: str, table: Any, file: str) -> list[Problem]:
    if not isinstance(table, dict):
        return [Problem(name, "is no mapping, but must be one of names to prices; mend it", file)]
    found = []
    for key, row in table.items():
        if not isinstance(key, str):
            found.append(Problem(f"{name}.{key}", f'must be a name; write it in quotes, as in "{key}"', file))
        if not isinstance(row, dict) or not row:
            told = f"is {shown(row)}, but must be like {{on_demand: 1.2, spot: 0.4}}; mend it"
            found.append(Problem(f"{name}.{key}", told, file))
            continue
        for market, value in row.items():
            if market not in _MARKETS:
                found.append(Problem(f"{name}.{key}.{market}", f"is not known; {advice(str(market), _MARKETS)}", file))
            elif not _is_amount(value, _HIGHEST_PRICE):
                told = (
                    f"is {shown(value)}, but must be a price >= 0 of an hour, and at most {_HIGHEST_PRICE:,}; mend it"
                )
                found.append(Problem(f"{name}.{key}.{market}", told, file))
    return found


def _is_amount(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most

"""The keys of a job of meta-training that may be distributions, and the strategies that they are a space of."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from graft.spec.messages.rules import Finding, Path
from graft.spec.space.distributions import NAMES, Choice, Distribution
from graft.spec.space.leaves import components_in, numbers_in
from graft.spec.space.nodes import Component, Node
from graft.spec.space.reader import read_space
from graft.spec.space.space import StrategySpace

SEARCHABLE: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("start",): ("episodes", "start"),
    ("adapter",): ("episodes", "adapter"),
    ("tasks", "ways"): ("episodes", "ways"),
    ("tasks", "queries"): ("episodes", "queries"),
    ("tasks", "within"): ("episodes", "within"),
    ("training", "tasks"): ("episodes", "tasks"),
    ("training", "lr"): ("lr",),
    ("training", "weight_decay"): ("weight_decay",),
}
"""Key of the job, and the key of `Strategy` that says the same."""
CHANGEABLE = (("training", "lr"), ("training", "weight_decay"))
"""What may change while weights are learned: all that a population can vary."""


@dataclass(frozen=True)
class Searched:
    """What a job searches.

    Attributes:
        given: key of the job -> plain data with a distribution in it.
        findings: what is wrong with them, by the keys of the job.
    """

    given: Mapping[tuple[str, ...], Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Searched":
        """What a job searches, as its file holds it."""
        found = {path: value for path in SEARCHABLE if has_distribution(value := _at(raw, path))}
        if not found:
            return cls()
        _, findings = read_space(_strategy_of(found), stored=False)
        return cls(found, tuple(map(_as_in_job, findings)))

    def without(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The job with one value for each: of a range the lowest, of a choice the first; the default if it is wrong."""
        plain, one = deepcopy(dict(raw)), {}
        if not self.findings:
            one = StrategySpace.parse(_strategy_of(self.given)).build(first_of).model_dump(mode="json")
        for path in self.given:
            inside = plain if len(path) == 1 else plain[path[0]]
            inside.pop(path[-1])
            if not self.findings:
                inside[path[-1]] = _at(one, SEARCHABLE[path])
        return plain

    def put_into(self, plain: dict[str, Any]) -> dict[str, Any]:
        """A job as plain data, with its distributions in their places."""
        for path, value in self.given.items():
            (plain if len(path) == 1 else plain[path[0]])[path[-1]] = deepcopy(value)
        return plain


def space_of(plain: Mapping[str, Any]) -> StrategySpace:
    """All strategies that a job of meta-training may try, as its dump says them."""
    every = _strategy_of({path: _at(plain, path) for path in SEARCHABLE})
    return StrategySpace.parse({**plain["strategy"], **every})


def kinds_in(space: StrategySpace, name: str) -> tuple[str, ...]:
    """The kinds of starts, or of adapters, that a space holds."""
    return tuple(dict.fromkeys(one.kind for one in components_in(_of_episodes(space, name)) if one.kind))


def bounds_in(space: StrategySpace, name: str) -> tuple[float, float]:
    """The lowest and the highest number that a key of the tasks may be."""
    found = [*numbers_in(_of_episodes(space, name))]
    return min(found), max(found)


def has_distribution(value: Any) -> bool:
    """Whether plain data are a distribution, or hold one."""
    if isinstance(value, Mapping):
        return any(key in NAMES for key in value) or any(map(has_distribution, value.values()))
    return isinstance(value, list) and any(map(has_distribution, value))


def first_of(key: str, distribution: Distribution) -> Any:
    """Of a range the lowest, of a choice the first: a strategy of a space that is always the same."""
    return distribution.options[0] if isinstance(distribution, Choice) else distribution.bounds()[0]


def _of_episodes(space: StrategySpace, name: str) -> Node:
    inside = dict(space.root.fields)["episodes"]
    assert isinstance(inside, Component), "a meta-training says it"
    return dict(inside.fields)[name]


def _strategy_of(given: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in given.items():
        *outer, name = SEARCHABLE[path]
        inside = found.setdefault(outer[0], {}) if outer else found
        inside[name] = value
    return found


def _as_in_job(finding: Finding) -> Finding:
    for path, inside in SEARCHABLE.items():
        if finding.path[: len(inside)] == inside:
            rest: Path = finding.path[len(inside) :]
            return Finding((*path, *rest), finding.message.replace("strategy.episodes.", ""))
    return finding


def _at(raw: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw

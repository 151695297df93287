"""Reads a search space from plain data and checks every option and every bound against the key it is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from graft.spec.base import Spec, keys_of, kind_of, places_of, spec_types, without_none
from graft.spec.messages.other_words import ours
from graft.spec.messages.rules import Finding, Path, dotted, shown
from graft.spec.messages.sentences import (
    MANY_UNKNOWN,
    must_be_one_of,
    nearest_hint,
    not_a_key,
    sentence,
    unknown_keys,
)
from graft.spec.space.distributions import NAMES, Choice, Range, range_from
from graft.spec.space.nodes import Component, Node, Value
from graft.spec.strategy import Strategy

_MAX_DEPTH = 20


@dataclass(frozen=True)
class _Reading:
    """Where a read stands, and what it has found so far."""

    stored: bool
    path: Path = ()
    found: dict[Finding, None] = field(default_factory=dict)

    def at(self, *parts: str | int) -> "_Reading":
        return replace(self, path=(*self.path, *parts))

    def reject(self, message: str) -> None:
        self.found.setdefault(Finding(self.path, message))

    @property
    def findings(self) -> list[Finding]:
        return list(self.found)


def read_space(raw: Any, stored: bool) -> tuple[Component, list[Finding]]:
    """Read the tree of a strategy space.

    Args:
        raw: plain data: mappings, lists, texts, numbers.
        stored: it was written by graft itself, so keys of a newer version are ignored.

    Returns:
        The tree, and all that is wrong with it; the tree is only whole when nothing is.
    """
    reading = _Reading(stored)
    if not isinstance(raw, Mapping):
        reading.reject(f"is {shown(raw)}, but must be a mapping of strategy keys to values or distributions")
        return Component(None, ()), reading.findings
    return _component(Strategy, None, raw, reading), reading.findings


def _component(model: type[Spec], kind: str | None, raw: Mapping[Any, Any], reading: _Reading) -> Component:
    known = [name for name in model.model_fields if name != "kind"]
    unknown = [str(key) for key in raw if key not in known and not (key == "kind" and kind) and not reading.stored]
    owner = dotted(("strategy", *_without_items(reading.path))) + (f" of kind {kind}" if kind else "")
    if len(unknown) > MANY_UNKNOWN:
        reading.reject(unknown_keys(unknown, owner))
        unknown = []
    told = [name for name in keys_of(model) if name != "kind"]
    for key in unknown:
        reading.at(key).reject(not_a_key(key, owner, told, () if kind else _elsewhere(key)))
    nodes = ((name, _node(model, name, raw[name], reading.at(name))) for name in known if name in raw)
    return Component(kind, tuple((name, node) for name, node in nodes if node is not None))


def _node(model: type[Spec], name: str, raw: Any, reading: _Reading) -> Node | None:
    if len(reading.path) > _MAX_DEPTH:
        reading.reject(f"is nested more than {_MAX_DEPTH} levels deep; list the options in one `choice`")
        return None
    given = [key for key in NAMES if key in raw] if isinstance(raw, Mapping) else []
    if given and len(raw) > 1:
        others = ", ".join([f"`{key}`" for key in raw if key != given[0]][:MANY_UNKNOWN])
        reading.reject(f"has {others} beside `{given[0]}`, but a distribution stands alone; remove one or the other")
        return None
    if given == ["choice"]:
        return _choice(model, name, raw["choice"], reading.at("choice"))
    if given:
        return _range(model, name, given[0], reading.at(given[0]), raw)
    kinds = {kind: spec for spec in spec_types(model.model_fields[name].annotation) if (kind := kind_of(spec))}
    if kinds:
        return _member(kinds, raw, reading)
    annotation = without_none(model.model_fields[name].annotation)
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return _part(annotation, raw, reading)
    return _value(model, name, raw, reading)


def _part(spec: type[Spec], raw: Any, reading: _Reading) -> Node | None:
    """A mapping of keys that is no union, so that it has no kind."""
    if isinstance(raw, Mapping):
        return _component(spec, None, raw, reading)
    keys = ", ".join(f"`{key}`" for key in spec.model_fields)
    reading.reject(f"is {shown(raw)}, but must be a mapping of the keys {keys}")
    return None


def _choice(model: type[Spec], name: str, raw: Any, reading: _Reading) -> Choice | None:
    if not isinstance(raw, list) or not raw:
        what = "an empty list" if isinstance(raw, list) else shown(raw)
        reading.reject(f"is {what}, but must be a list of one or more options, as in `choice: [a, b]`")
        return None
    options = [_node(model, name, option, reading.at(index)) for index, option in enumerate(raw)]
    seen: set[Node] = set()
    for index, option in enumerate(options):
        if option is None:
            continue
        if option in seen:
            reading.at(index).reject(
                f"is {shown(raw[index])}, which is in the list already; every option must be given once"
            )
        seen.add(option)
    return Choice(tuple(option for option in options if option is not None))


def _range(model: type[Spec], name: str, kind: str, reading: _Reading, raw: Mapping[str, Any]) -> Range | None:
    try:
        found = range_from(kind, raw[kind])
    except ValueError as error:
        said = str(error)
        reading.reject(f"is {shown(raw[kind])}, but {said}" if said.startswith("must") else said)
        return None
    info = model.model_fields[name]
    annotation = without_none(info.annotation)
    if kind != "randint" and annotation is int:
        reading.reject("draws fractions, but must draw whole numbers here; use `randint` or `choice`")
        return None
    if annotation not in (int, float):
        reading.reject(f"draws numbers, but {_needed(info)}; use `choice`")
        return None
    legal = [_value(model, name, bound, reading.at(index)) for index, bound in enumerate(found.bounds())]
    return found if None not in legal else None


def _needed(info: FieldInfo) -> str:
    specs = spec_types(info.annotation)
    kinds = [kind for spec in specs if (kind := kind_of(spec))]
    if specs and not kinds:
        return f"must be a mapping of the keys {', '.join(f'`{key}`' for key in specs[0].model_fields)}"
    return must_be_one_of(kinds) if kinds else "the values here are no numbers"


def _member(kinds: Mapping[str, type[Spec]], raw: Any, reading: _Reading) -> Node | None:
    """One member of a union by `kind`."""
    if isinstance(raw, str):
        return _of_kind(kinds, raw, {}, reading, reading)
    if not isinstance(raw, Mapping):
        reading.reject(f"is {shown(raw)}, but {must_be_one_of(kinds)}")
        return None
    if "kind" not in raw and len(kinds) > 1:
        hint = "".join(nearest_hint(str(key), NAMES) for key in [*raw][:MANY_UNKNOWN])
        reading.reject(f"has no `kind`, which {must_be_one_of(kinds)}{hint}")
        return None
    kind = raw.get("kind", next(iter(kinds)))
    if isinstance(kind, Mapping) and set(kind) == {"choice"} and isinstance(kind["choice"], list) and kind["choice"]:
        at_kind = reading.at("kind", "choice")
        found = [_of_kind(kinds, one, raw, reading, at_kind.at(i)) for i, one in enumerate(kind["choice"])]
        return Choice(tuple(component for component in found if component is not None))
    return _of_kind(kinds, kind, raw, reading, reading.at("kind"))


def _of_kind(
    kinds: Mapping[str, type[Spec]], kind: Any, raw: Mapping[str, Any], reading: _Reading, at_kind: _Reading
) -> Component | None:
    if not isinstance(kind, str) or kind not in kinds:
        hint = nearest_hint(kind, kinds) if isinstance(kind, str) else ""
        at_kind.reject(f"is {shown(kind)}, but {must_be_one_of(kinds)}{hint}")
        return None
    return _component(kinds[kind], kind, raw, reading)


def _value(model: type[Spec], name: str, raw: Any, reading: _Reading) -> Value | None:
    """A leaf; checked by the model itself, of which every other key has a default."""
    if isinstance(raw, Mapping):
        hint = "".join(nearest_hint(str(key), NAMES) for key in [*raw][:MANY_UNKNOWN])
        reading.reject(f"is a mapping, but must be a value or one of the distributions {', '.join(NAMES)}{hint}")
        return None
    try:
        return Value(getattr(model.model_validate({name: raw}), name))
    except ValidationError as error:
        _reject_all(error, model.model_fields[name], reading)
        return None


def _reject_all(error: ValidationError, info: FieldInfo, reading: _Reading) -> None:
    """Everything that is wrong with a value; inside a list of specs, each at its place."""
    deep = [details for details in error.errors() if len(details["loc"]) > 1]
    for details in deep or error.errors():
        inside = {name: one for spec in spec_types(info.annotation) for name, one in spec.model_fields.items()}
        key = str(details["loc"][-1])
        if details["type"] == "extra_forbidden":
            reading.at(*details["loc"][1:]).reject(not_a_key(key, "an item of the list", list(inside)))
            continue
        reading.at(*details["loc"][1:]).reject(sentence(details, inside.get(key, info)))


def _elsewhere(key: str) -> tuple[str, ...]:
    words = (word for word in (key, *ours(key)) if word != "kind")
    return tuple(dotted(("strategy", *path)) for word in words for path in places_of(word, Strategy))


def _without_items(path: Path) -> Path:
    """Where a component belongs, without the choice that it is an option of."""
    return tuple(part for part in path if isinstance(part, str) and part != "choice")

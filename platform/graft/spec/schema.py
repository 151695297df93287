"""The JSON Schema of a job file, for editors and other programs."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.spec.base import Spec
from graft.spec.job import Job
from graft.spec.meta.job import MetaJob
from graft.spec.meta.searched import SEARCHABLE
from graft.spec.registry import members
from graft.spec.space.mutation import MUTABLE
from graft.spec.strategy import Strategy

JsonSchema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT = ("description", "default")
_RANGE, _WHOLE_RANGE = "#/$defs/Range", "#/$defs/WholeRange"


def job_schema() -> JsonSchema:
    """The JSON Schema (2020-12) of a job file.

    What pydantic derives from `Job`, and: a component may be a bare name, each key of `strategy`, at any depth, may be
    a distribution of what it may be as a value, and a search may be the list of its phases. Rules across keys, such as
    the order of two bounds, are not in it.
    """
    return _schema_of(Job, "graft job")


def meta_job_schema() -> JsonSchema:
    """The JSON Schema of a job of meta-training (`kind: meta`)."""
    return _schema_of(MetaJob, "graft job of meta-training")


def _schema_of(model: type[Spec], title: str) -> JsonSchema:
    raw = _without_titles(model.model_json_schema())
    strategy = _without_titles(Strategy.model_json_schema())
    definitions: JsonSchema = raw["$defs"] | strategy.pop("$defs") | {"Strategy": strategy}
    about = model.model_fields["strategy"].description
    raw["properties"]["strategy"] = {"description": about, "default": {}, "$ref": "#/$defs/Strategy"}
    if "SearchSpec" in definitions:
        definitions["SearchSpec"]["properties"]["first"]["anyOf"][0]["items"] = {"$ref": "#/$defs/Strategy"}
        raw["properties"]["search"] = _or_phases(raw["properties"]["search"], definitions["SearchSpec"])
    for kind in members("scheduler").values():
        if "mutate" not in kind.model_fields or kind.__name__ not in definitions:
            continue
        definitions[kind.__name__]["properties"]["mutate"]["anyOf"][0]["items"] = {"enum": [*MUTABLE]}
    in_strategy = _reachable("Strategy", definitions)
    opened = {name: _opened(one, definitions, name in in_strategy) for name, one in definitions.items()}
    top = _opened(raw, definitions, False)
    if model is MetaJob:
        _open_searched(top, raw, definitions, opened)
    return {"$schema": _DRAFT, "title": title, **top, "$defs": opened | _range_definitions()}


def _open_searched(top: JsonSchema, raw: JsonSchema, definitions: JsonSchema, opened: JsonSchema) -> None:
    """Let the keys that a meta-training can search be distributions, in place."""
    for path in SEARCHABLE:
        owner, target = (raw, top) if len(path) == 1 else (definitions, opened)
        if len(path) == 2:
            name = _target(raw["properties"][path[0]])
            owner, target = definitions[name], opened[name]
        plain = owner["properties"][path[-1]]
        target["properties"][path[-1]] = _property(plain, definitions, True)
        for name in {one for start in _references(plain) for one in _reachable(start, definitions)}:
            opened[name] = _opened(definitions[name], definitions, True)


def schema_text() -> str:
    """The content of ``docs/job.schema.json``."""
    return json.dumps(job_schema(), indent=2, ensure_ascii=False) + "\n"


def _opened(definition: JsonSchema, definitions: JsonSchema, distributions: bool) -> JsonSchema:
    """A definition with each property as a job file may write it."""
    if "properties" not in definition:
        return definition
    properties = {
        name: schema if name == "kind" else _property(schema, definitions, distributions)
        for name, schema in definition["properties"].items()
    }
    return {**definition, "properties": properties}


def _property(schema: JsonSchema, definitions: JsonSchema, distributions: bool) -> JsonSchema:
    about = {key: schema[key] for key in _ABOUT if key in schema}
    value = _without_null({key: inner for key, inner in schema.items() if key not in (*_ABOUT, "discriminator")})
    kinds = _kinds(value, definitions)
    forms = [value]
    if len(kinds) > 1:
        forms = [{"type": "object", "required": ["kind"], "oneOf": value["oneOf"]}]
    names = [name for name, definition in kinds.items() if not definition.get("required")]
    if names:
        forms.insert(0, {"enum": names})
    if distributions:
        forms = _with_distributions(forms, value.get("type"), list(kinds))
    return {**about, "anyOf": forms} if len(forms) > 1 else schema


def _without_null(value: JsonSchema) -> JsonSchema:
    """A key that may be left out is not written as null."""
    forms = [form for form in value.get("anyOf", ()) if form != {"type": "null"}]
    return forms[0] if len(forms) == 1 and len(value) == 1 else value


def _or_phases(search: JsonSchema, definition: JsonSchema) -> JsonSchema:
    about = {key: search[key] for key in _ABOUT if key in search}
    phases = {key: inner for key, inner in definition["properties"]["phases"].items() if key not in _ABOUT}
    return {**about, "anyOf": [{"$ref": search["$ref"]}, {**phases, "minItems": 1}]}


def _with_distributions(forms: list[JsonSchema], type_name: str | None, kinds: list[str]) -> list[JsonSchema]:
    ranges = {"number": [{"$ref": _RANGE}, {"$ref": _WHOLE_RANGE}], "integer": [{"$ref": _WHOLE_RANGE}]}
    options = [*forms, *ranges.get(type_name or "", [])]
    found = [*options, _choice(options[0] if len(options) == 1 else {"anyOf": options})]
    if kinds:
        found.append({"type": "object", "properties": {"kind": _choice({"enum": kinds})}, "required": ["kind"]})
    return found


def _range_definitions() -> JsonSchema:
    def pair(type_name: str) -> JsonSchema:
        return {"type": "array", "items": {"type": type_name}, "minItems": 2, "maxItems": 2}

    return {
        "Range": {
            "description": "Any number between two bounds, evenly or by order of magnitude.",
            "anyOf": [_one_key("uniform", pair("number")), _one_key("loguniform", pair("number"))],
        },
        "WholeRange": {
            "description": "Any whole number between two bounds, both included.",
            **_one_key("randint", pair("integer")),
        },
    }


def _choice(option: JsonSchema) -> JsonSchema:
    return _one_key("choice", {"type": "array", "items": option, "minItems": 1})


def _one_key(name: str, schema: JsonSchema) -> JsonSchema:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


def _kinds(value: JsonSchema, definitions: JsonSchema) -> dict[str, JsonSchema]:
    """The components that a property may be, by kind."""
    found = [definitions[_target(one)] for one in value.get("oneOf", [value]) if "$ref" in one]
    return {
        found_one["properties"]["kind"]["const"]: found_one
        for found_one in found
        if "kind" in found_one.get("properties", {})
    }


def _target(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rsplit("/", 1)[-1]


def _reachable(start: str, definitions: JsonSchema) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(definitions[name])
    return found


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for inner in schema for name in _references(inner)]
    if not isinstance(schema, dict):
        return []
    own = [_target(schema)] if "$ref" in schema else []
    return own + [name for inner in schema.values() for name in _references(inner)]


def _without_titles(schema: Any) -> Any:
    """Titles only repeat the keys; a `title` that is a mapping would be a property of that name."""
    if isinstance(schema, list):
        return [_without_titles(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(inner) for key, inner in schema.items() if not (key == "title" and isinstance(inner, str))
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")

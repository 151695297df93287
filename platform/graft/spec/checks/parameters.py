"""`data.checks`: how near, how far and how alike checks look for."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError

from graft.spec.checks.base import CheckSpec
from graft.spec.checks.clean import checks
from graft.spec.messages.rules import Finding, broken, rejected
from graft.spec.messages.sentences import must_be_one_of, nearest_hint

Parameters = Mapping[str, Mapping[str, Any]]
"""By the name of a check, its parameters that differ from the usual ones."""


def check_of(name: str, given: Parameters) -> CheckSpec:
    """A check with the parameters that a job gives it."""
    return checks()[name].model_validate({**given.get(name, {})})


def with_parameters() -> dict[str, type[CheckSpec]]:
    """The checks that have any."""
    return {name: kind for name, kind in checks().items() if set(kind.model_fields) - {"kind"}}


def _parameters(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise broken("must be a mapping from checks to their parameters")
    known, found, problems = with_parameters(), {}, list[Finding]()
    for name, given in value.items():
        if name not in known:
            told = f"is no check that has parameters; it {must_be_one_of(known)}{nearest_hint(str(name), known)}"
            problems.append(Finding((str(name),), told))
        elif not isinstance(given, Mapping):
            problems.append(Finding((name,), "must be a mapping, as in `{distance: 6}`"))
        else:
            found[name] = _checked(name, given, known[name], problems)
    if problems:
        raise rejected("checks", problems)
    return {name: given for name, given in found.items() if given}


def _checked(name: str, given: Mapping[str, Any], kind: type[CheckSpec], problems: list[Finding]) -> dict[str, Any]:
    try:
        checked = kind.model_validate({**given})
    except ValidationError as error:
        for one in error.errors():
            key = ".".join(map(str, one["loc"])) or "kind"
            rule = one["msg"][:1].lower() + one["msg"][1:]
            problems.append(Finding((name, key), f"is `{str(one['input'])[:40]}`: {rule}"))
        return {}
    return checked.model_dump(exclude_defaults=True, exclude={"kind"})


class _Schema:
    """JSON Schema of `data.checks`; made when it is asked for, because other packages add checks that import us."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        properties = {}
        for name, kind in with_parameters().items():
            fields = kind.model_json_schema()["properties"]
            inside = {key: one for key, one in fields.items() if key != "kind"}
            properties[name] = {"type": "object", "properties": inside, "additionalProperties": False}
        return {"type": "object", "properties": properties, "additionalProperties": False}


Checks = Annotated[dict[str, dict[str, Any]], PlainValidator(_parameters), _Schema()]

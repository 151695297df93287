"""The sentence for each thing that can be wrong with a value: value, then rule, then what to do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from graft.core.unicode_form import nearest
from graft.spec.base import kind_of, spec_types
from graft.spec.messages.other_words import meant
from graft.spec.messages.rules import RULE, SENTENCE, shown

_NUMBER = "a number"
_WHOLE = "a whole number"
_TYPES: Mapping[str, str] = {
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_RANGE_ERRORS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_SIGNS: Mapping[type, str] = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}


MANY_UNKNOWN = 20
"""More unknown keys than that in one place are told together."""


def sentence(error: ErrorDetails, field: FieldInfo | None) -> str:
    """What to tell the user about one error of pydantic; never pydantic's own words.

    Args:
        error: as `ValidationError.errors()` gives it.
        field: the field it is about, where there is one.
    """
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == SENTENCE:
        return str(context["sentence"])
    if kind == RULE:
        return f"is {shown(value)}, but {context['rule']}"
    if kind == "missing":
        return "is missing, but must be given" + (f": {field.description}" if field and field.description else "")
    if kind in _TYPES:
        return _wrong_type(value, _TYPES[kind])
    if kind in _RANGE_ERRORS:
        return f"is {shown(value)}, but must be {_range_rule(field) or _bound(context)}"
    if kind in ("string_too_short", "too_short", "string_too_long", "too_long"):
        return _wrong_length(value, context)
    if kind == "literal_error":
        return _not_an_option(value, field)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_kind(value, field)
    known = f" ({field.description})" if field and field.description else ""
    return f"is {shown(value)}, which is not allowed here{known}"


def not_a_key(key: str, owner: str, known: Iterable[str], elsewhere: Sequence[str] = ()) -> str:
    """The sentence for a key that nobody knows.

    Args:
        key: the key.
        owner: what it was given to, such as ``training``; empty for the job itself.
        known: the keys that may be given there.
        elsewhere: dotted keys of the same name, or of what others call so, in other places.
    """
    names = list(known)
    places = " or ".join(f"`{place}`" for place in elsewhere[:3])
    called = meant(key, names)
    hint = f"; did you mean {places}?" if places and not called else nearest_hint(key, names)
    listed = f"; its keys are {', '.join(names)}" if names else "; it has no keys"
    return f"is not a key of {owner or 'a job'}{hint or listed}"


def unknown_keys(keys: Sequence[str], owner: str) -> str:
    """The sentence for many keys that nobody knows, where one for each would say nothing."""
    named = ", ".join(shown(key) for key in keys[:3])
    return f"{len(keys):,} keys are none of {owner or 'a job'} ({named}, …); is it the right file?"


def nearest_hint(name: str, names: Iterable[str]) -> str:
    """``; did you mean `lora`?`` when one name is near, or what others call so, else nothing."""
    known = list(names)
    if called := meant(name, known):
        return f"; did you mean {called}?"
    near = nearest(name, known)
    return f"; did you mean `{near}`?" if near else ""


def must_be_one_of(names: Iterable[str]) -> str:
    """``must be one of a, b``."""
    listed = list(names)
    return f"must be {listed[0]}" if len(listed) == 1 else f"must be one of {', '.join(listed)}"


def _wrong_type(value: Any, needed: str) -> str:
    if not isinstance(value, str):
        hint = "; put it in quotes" if needed == "text" and isinstance(value, int | float) else ""
        return f"is {shown(value)}, but must be {needed}{hint}"
    text = shown(value)[1:-1]
    hint = "; remove the quotes" if needed in (_NUMBER, _WHOLE) and _reads_as_number(value) else ""
    return f"is the text '{text}', but must be {needed}{hint}"


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _wrong_length(value: Any, context: Mapping[str, Any]) -> str:
    least, most = context.get("min_length"), context.get("max_length")
    unit = "characters" if isinstance(value, str) else "items"
    rule = f"at least {least}" if least is not None else f"at most {most}"
    return f"has {len(value)} {unit}, but must have {rule}"


def _not_an_option(value: Any, field: FieldInfo | None) -> str:
    given = getattr(field.annotation, "__args__", ()) if field else ()
    if any(value == str(option) and not isinstance(option, str) for option in given):
        return f"is the text '{value}', but must be {value}; remove the quotes"
    options = [str(option) for option in given]
    hint = nearest_hint(value, options) if isinstance(value, str) else ""
    return f"is {shown(value)}, but {must_be_one_of(options or ['another value'])}{hint}"


def _wrong_kind(value: Any, field: FieldInfo | None) -> str:
    kinds = [str(kind_of(spec)) for spec in spec_types(field.annotation)] if field else []
    kind = value.get("kind") if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and "kind" not in value:
        return f"has no `kind`, which {must_be_one_of(kinds)}"
    hint = nearest_hint(kind, kinds) if isinstance(kind, str) else ""
    is_alone = isinstance(value, str) or (isinstance(value, Mapping) and len(value) == 1)
    if isinstance(kind, str) and is_alone and not hint and _may_have_path(field):
        hint = f"; what lies at a path is named as {{kind: …, path: {kind[:60]}}}, which `graft init` writes"
    return f"is {shown(kind)}, but {must_be_one_of(kinds)}{hint}"


def _may_have_path(field: FieldInfo | None) -> bool:
    return field is not None and any("path" in spec.model_fields for spec in spec_types(field.annotation))


def _range_rule(field: FieldInfo | None) -> str | None:
    """Both bounds of a field, where it has both; one error of pydantic knows only the bound that was crossed."""
    bounds = [(type(item), _limit(item)) for item in (field.metadata if field else ()) if type(item) in _SIGNS]
    if [kind for kind, _ in bounds] == [Ge, Le]:
        return f"between {bounds[0][1]} and {bounds[1][1]}"
    return " and ".join(f"{_SIGNS[kind]} {limit}" for kind, limit in bounds) or None


def _limit(bound: Any) -> str:
    return f"{next(getattr(bound, name) for name in ('ge', 'gt', 'le', 'lt') if hasattr(bound, name)):g}"


def _bound(context: Mapping[str, Any]) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return " and ".join(f"{signs[name]} {limit}" for name, limit in context.items() if name in signs)
